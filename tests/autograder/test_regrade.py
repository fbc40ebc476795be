"""Running the grader again: what is kept, what is graded anew, marks by hand, two runs at once, and `diff`."""

import os
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.grading import batch
from autograder.grading.assignment import load_assignment
from autograder.grading.batch import grade_class
from autograder.grading.diff import changes
from autograder.grading.results import read_result, result_path, sole_run
from autograder.paths import UserError
from tests.autograder.helpers import ESSAY, EXERCISE, SLUG, by_student, hand_in, right

WRONG = right().replace("ones", "zeros") + "\ndef causal_mask(size):\n    return None\n"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A class of two, graded once: ann is right and has written an essay, bob is wrong."""
    folder = tmp_path_factory.mktemp("class")
    hand_in(folder / "in", "ann", {EXERCISE: right(), ESSAY: "Head 3 looks at the <b>previous</b> word. <script>alert(1)</script>"})
    hand_in(folder / "in", "bob", {EXERCISE: WRONG})
    return folder, grade_class(folder / "in", folder / "out")


@pytest.fixture
def graded(first, tmp_path):
    """A copy of it, to do with as a test likes."""
    folder, rows = first
    shutil.copytree(folder, tmp_path / "class")
    return tmp_path / "class", rows


def mark(folder, student, exercise, points, comment=None):
    """What a person does in formgrader."""
    with Gradebook(f"sqlite:///{folder / 'out' / 'gradebook.db'}") as book:
        name = exercise if exercise == ESSAY else f"{exercise}_check"
        grade = book.find_grade(name, SLUG, SLUG, student)
        grade.manual_score, grade.needs_manual_grade = points, False
        if comment:
            book.find_comment(exercise, SLUG, SLUG, student).manual_comment = comment
        book.db.commit()


def seen(folder):
    """Grade again; the rows, and what was run."""
    ran = []
    rows = grade_class(folder / "in", folder / "out", progress=lambda done, total, submission, kept: kept or ran.append(submission.student))
    return rows, ran


def test_nothing_is_graded_twice(graded):
    folder, rows = graded
    before = (folder / "out" / "grades.csv").read_bytes()
    again, ran = seen(folder)
    assert ran == [] and again == rows and (folder / "out" / "grades.csv").read_bytes() == before


def test_gradebook_holds_the_points_and_asks_for_essays(graded):
    folder, rows = graded
    with Gradebook(f"sqlite:///{folder / 'out' / 'gradebook.db'}") as book:
        for row in rows:
            name = row["exercise"] if row["status"] == "manual" or row["exercise"] == ESSAY else f"{row['exercise']}_check"
            grade = book.find_grade(name, SLUG, SLUG, row["student"])
            assert grade.score == pytest.approx(row["points"]) and grade.max_score == row["max_points"]
            assert grade.needs_manual_grade == (row["status"] == "manual")


def test_a_mark_by_hand_counts_and_survives_a_regrade(graded):
    folder, _ = graded
    mark(folder, "ann", ESSAY, 0.5, "Good, but which layer?")
    mark(folder, "bob", EXERCISE, 0.75)
    rows, ran = seen(folder)
    essays = by_student(rows, ESSAY)
    assert ran == [] and essays["ann"]["points"] == 0.5 and essays["ann"]["status"] == "partial"
    assert by_student(rows)["bob"]["points"] == 0.75
    page = (folder / "out" / "feedback" / "ann" / f"{SLUG}.html").read_text()
    assert "Good, but which layer?" in page and "<script" not in page
    hand_in(folder / "in", "ann", {EXERCISE: right(), ESSAY: "Something else."})  # handed in again
    rows, ran = seen(folder)
    assert ran == ["ann"] and by_student(rows, ESSAY)["ann"] == essays["ann"] | {"status": "manual"}
    with Gradebook(f"sqlite:///{folder / 'out' / 'gradebook.db'}") as book:
        grade = book.find_grade(ESSAY, SLUG, SLUG, "ann")
        assert grade.manual_score == 0.5 and grade.needs_manual_grade


def test_a_changed_key_regrades_its_exercise_alone(graded, monkeypatch):
    folder, rows = graded
    shutil.copytree(folder / "out", folder / "old")
    real = load_assignment(SLUG)
    keys = [key if key["id"] != EXERCISE else {**key, "points": 2.0} for key in real.keys]
    monkeypatch.setattr(batch, "load_assignment", lambda slug: replace(real, keys=keys, versions={**real.versions, EXERCISE: "new"}))
    asked = []
    monkeypatch.setattr(batch, "grade_all", lambda client, tasks, assignments: run(client, tasks, assignments, asked))
    again, ran = seen(folder)
    assert ran == ["ann", "bob"] and asked == [{EXERCISE}, {EXERCISE}]
    assert by_student(again)["ann"]["points"] == 2.0
    same = [row for row in again if row["exercise"] != EXERCISE]
    assert same == [row for row in rows if row["exercise"] != EXERCISE]
    found = [(change.student, change.exercise, change.why) for change in changes(folder / "old", folder / "out")]
    assert found == [(student, EXERCISE, "the exercise's key changed") for student in ("ann", "bob")]


def run(client, tasks, assignments, asked):
    from autograder.grading.cluster import grade_all

    def noted():
        for task in tasks:
            asked.append(task[3])
            yield task

    return grade_all(client, noted(), assignments)


def test_a_broken_or_missing_result_is_made_again(graded):
    folder, rows = graded
    result_path(folder / "out", "ann", SLUG).write_text('{"half a')
    again, ran = seen(folder)
    assert ran == ["ann"] and again == rows
    assert read_result(result_path(folder / "out", "ann", SLUG))["submission"]


def test_two_runs_cannot_share_a_folder(graded):
    folder, _ = graded
    with sole_run(folder / "out"), pytest.raises(UserError, match="another run is grading into"):
        grade_class(folder / "in", folder / "out")


def test_the_result_of_a_vanished_submission_is_kept(graded):
    folder, rows = graded
    shutil.rmtree(folder / "in" / "bob")
    again, ran = seen(folder)
    assert ran == [] and {row["student"] for row in again} == {"ann"}
    assert result_path(folder / "out", "bob", SLUG).exists()  # nothing already graded is lost


def test_diff_needs_graded_folders(tmp_path):
    with pytest.raises(UserError, match="holds no grades"):
        changes(tmp_path, tmp_path)


def test_the_gradebook_has_nbgraders_own_version(tmp_path):
    """A gradebook of ours says the version that nbgrader's own command finds, or `nbgrader db upgrade` would run on it."""
    hand_in(tmp_path / "in", "ann")
    grade_class(tmp_path / "in", tmp_path / "out", workers=1)
    with sqlite3.connect(tmp_path / "out" / "gradebook.db") as book:
        version = book.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    code = "import nbgrader.api; print(nbgrader.api.get_alembic_version())"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PATH": path}).stdout.strip() == version


def test_nbgraders_export_leaves_the_grades(graded):
    """`nbgrader export` writes a file called grades.csv unless it is told otherwise."""
    out = graded[0] / "out"
    before = (out / "grades.csv").read_text()
    subprocess.run([sys.executable, "-m", "nbgrader", "export"], cwd=out, check=True, capture_output=True)
    assert (out / "grades.csv").read_text() == before and (out / "nbgrader_grades.csv").exists()
