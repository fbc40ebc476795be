"""The same class by three doors: `otter run`, `nbgrader autograde`, and our own grader give the same points."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder.build.write import load
from autograder.doors.nbgrader import write_course
from autograder.doors.otter import write_assignment
from autograder.grading.batch import grade_class
from autograder.paths import FULL_KEYS, NOTEBOOKS
from autograder.sample import CLASS, SLUGS, write_sample

pytestmark = pytest.mark.slow  # two graders that start a kernel for every submission: `make doors`

# What a door cannot do, with the reason. Nothing is hidden: whatever is not listed here has to agree.
KNOWN_DIFFERENCES: dict[tuple[str, str, str], str] = {}


@pytest.fixture(scope="module", params=[pytest.param(slug, marks=pytest.mark.xdist_group(slug)) for slug in SLUGS])
def slug(request):
    return request.param


@pytest.fixture(scope="module")
def submitted(slug, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"class_{slug}") / "submitted"
    write_sample(folder, [slug])
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """For the two tools: the venv's commands, one thread, and none of jsonschema's optional URI grammar, half of their start-up."""
    stubs = tmp_path_factory.mktemp("stubs")
    (stubs / "rfc3987_syntax.py").write_text('raise ImportError("not needed")\n')
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(stubs),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "DLCOURSE_OFFLINE": "1",
    }


@pytest.fixture(scope="module")
def ours(slug, submitted):
    rows = grade_class(submitted, submitted.parent / "out", workers=1)
    return {(row["student"], row["exercise"]): row["points"] for row in rows if not _written(slug, row["exercise"])}


def _written(slug, exercise):
    return next(entry.kind for entry in load(slug)[1] if entry.id == exercise) == "written"


def assert_same(door, theirs, ours):
    different = {
        place: (points, theirs.get(place))
        for place, points in ours.items()
        if (door, *place) not in KNOWN_DIFFERENCES and abs(points - theirs.get(place, -1)) > 1e-3
    }
    assert not different, f"(student, exercise): (ours, {door}'s) {different}"


def test_our_grader_orders_the_class(slug, ours):
    """Who made which mistake is known, so the order of the totals is too."""
    total = {student: sum(points for (name, _), points in ours.items() if name == student) for student in CLASS}
    maximum = sum(exercise.points for exercise in load(slug)[1] if exercise.kind != "written")
    for student in ("ada_perfect", "ben_other_style", "cem_third_style", "lea_copied_cell", "olga_noisy"):
        assert total[student] == maximum, student
    assert total["dora_blank"] == total["nils_only_essays"] == 0
    for student in (
        "emil_mistake",
        "fay_mistake",
        "gil_mistake",
        "ivo_syntax_error",
        "jana_endless_loop",
        "kai_deleted_cell",
    ):
        assert 0 < total[student] < maximum, student
    assert total["hana_many_mistakes"] < min(total[f"{name}_mistake"] for name in ("emil", "fay", "gil"))


def test_otter_gives_the_same_points(slug, submitted, ours, environment, tmp_path):
    zip_file = write_assignment(slug) / "autograder.zip"
    theirs = {}
    for student in CLASS:
        out = tmp_path / student
        out.mkdir()
        notebook = submitted / student / slug / f"{slug}.ipynb"
        command = [
            sys.executable,
            "-m",
            "otter",
            "run",
            "-a",
            str(zip_file),
            "-o",
            str(out),
            "--no-logo",
            str(notebook),
        ]
        run = subprocess.run(
            command, env={**environment, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=300
        )
        assert (out / "results.json").exists(), run.stderr[-2000:]
        for test in json.loads((out / "results.json").read_text())["tests"]:
            if "score" in test:
                theirs[student, test["name"]] = test["score"]
    assert_same("otter", theirs, ours)


def test_nbgrader_gives_the_same_points(slug, submitted, ours, environment, tmp_path):
    course = tmp_path / "course"
    source = write_course([slug])
    shutil.copytree(source / "source" / slug, course / "source" / slug)
    shutil.copy(source / "nbgrader_config.py", course)
    shutil.copytree(submitted, course / "submitted")
    environment = {**environment, "DLCOURSE_KEYS": str(FULL_KEYS)}
    for command in (["generate_assignment", slug, "--force"], ["autograde", slug]):
        command = [sys.executable, "-m", "nbgrader", *command]
        run = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, timeout=900)
        assert run.returncode == 0, run.stderr[-3000:]
    theirs = {}
    with Gradebook(f"sqlite:///{course}/gradebook.db", "dlcourse") as gradebook:
        for submission in gradebook.assignment_submissions(slug):
            for grade in submission.notebooks[0].grades:
                theirs[submission.student.id, grade.name.removesuffix("_check")] = grade.auto_score or 0.0
    assert_same("nbgrader", theirs, ours)


def test_the_csv_says_what_the_rows_say(slug, submitted, ours):
    with open(submitted.parent / "out" / "grades.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(CLASS) * len(load(slug)[1])
    assert {row["status"] for row in rows if row["student"] == "jana_endless_loop"} >= {"passed", "timeout", "manual"}
    assert (NOTEBOOKS / f"{slug}.ipynb").exists()
