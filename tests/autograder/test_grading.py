"""Grading in the sandbox: layout, statuses, resuming, bad input, and submissions that misbehave."""

import csv
import json
import shutil
import subprocess
import sys

import nbformat
import pytest

from autograder.build.master import reference_code
from autograder.build.write import load
from autograder.grading.assignment import load_assignment
from autograder.grading.batch import COLUMNS, grade_class
from autograder.grading.sandbox import Sandbox
from autograder.grading.submission import grade_submission
from autograder.paths import ROOT, UserError
from tests.autograder.helpers import EXERCISE, SLUG, by_student, hand_in
from tests.autograder.helpers import right as reference


@pytest.fixture
def right():
    return reference()


def test_one_bad_answer_leaves_the_others(tmp_path):
    """An answer that ends its process costs its own exercise; the rest is graded in a fresh child."""
    path = hand_in(tmp_path / "in", "eva", "import os\nos._exit(1)\n")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.id == "head_statistics":
            cell.source = reference_code(load(SLUG)[0].answer("head_statistics"))
    nbformat.write(notebook, path)
    rows = grade_class(tmp_path / "in", tmp_path / "out", workers=1)
    assert by_student(rows, "head_statistics")["eva"]["status"] == "passed"
    assert by_student(rows)["eva"]["status"] == "error"


def test_unreadable_notebooks_get_rows_and_reasons(tmp_path, right):
    folder = tmp_path / "in"
    hand_in(folder, "good", right)
    raws = {
        "empty": b"",
        "text": b"hello",
        "list": b"[]",
        "cells": b'{"cells": 3}',
        "deep": b"[" * 100_000,
        "bytes": b"\xff\xfe\x00",
    }
    for student, raw in raws.items():
        hand_in(folder, student, raw=raw)
    odd = {
        "cells": [
            1,
            {"cell_type": "code"},
            {"cell_type": "code", "source": ["x = 1\n", 2], "metadata": [], "id": 7},
            {"source": "\ud800"},
        ]
    }
    hand_in(folder, "odd", raw=json.dumps(odd).encode())
    rows = grade_class(folder, tmp_path / "out", workers=2)
    assert len(rows) == 8 * len(load(SLUG)[1])
    assert by_student(rows)["good"]["status"] == "passed"
    for student in raws:
        assert {row["status"] for row in rows if row["student"] == student} == {"error"}
    assert {row["status"] for row in rows if row["student"] == "odd"} == {"missing"}
    record = json.loads((tmp_path / "out" / "results" / "text" / f"{SLUG}.json").read_text())
    assert "not valid JSON" in record["exercises"][0]["message"]


def test_stripped_metadata_and_needed_demonstrations(tmp_path, right):
    """Without any metadata all cells run; an answer that needs a name from a demonstration gets the whole notebook."""
    path = hand_in(tmp_path / "in", "stripped", right)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "demo" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        cell.metadata = {}
    nbformat.write(notebook, path)
    path = hand_in(
        tmp_path / "in", "needy", right.replace("def causal_mask(size):", "def causal_mask(size):\n    needed_name", 1)
    )
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("needed_name = 1", metadata={"tags": ["demo"]}))
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "demo" not in cell.metadata.get("tags", []) or cell.source.startswith("needed")
    ]
    nbformat.write(notebook, path)
    rows = by_student(grade_class(tmp_path / "in", tmp_path / "out", workers=1))
    assert rows["stripped"]["status"] == rows["needy"]["status"] == "passed"


def test_finished_work_is_kept_and_changed_work_graded_again(tmp_path, right):
    hand_in(tmp_path / "in", "ann", right)
    path = hand_in(tmp_path / "in", "bob")
    seen = []
    out = tmp_path / "out"
    grade_class(
        tmp_path / "in",
        out,
        workers=1,
        progress=lambda done, total, submission, kept: seen.append((submission.student, kept)),
    )
    first = (out / "grades.csv").read_text()
    shutil.copy(tmp_path / "in" / "ann" / SLUG / f"{SLUG}.ipynb", path)
    seen.clear()
    rows = grade_class(
        tmp_path / "in",
        out,
        workers=1,
        progress=lambda done, total, submission, kept: seen.append((submission.student, kept)),
    )
    assert sorted(seen) == [("ann", True), ("bob", False)]
    assert (
        by_student(rows)["bob"]["status"] == "passed"
        and "bob,06_attention,attention_masks,0.0,1.0,unanswered," in first
    )
    with open(out / "grades.csv") as file:
        assert tuple(next(csv.reader(file))) == COLUMNS
    assert (out / "report.html").exists() and (out / "feedback" / "ann" / f"{SLUG}.html").exists()


def test_feedback_shows_nothing_hidden_and_escapes(tmp_path):
    hand_in(
        tmp_path / "in",
        "eve",
        "def padding_mask(*a):\n    raise ValueError('<script>alert(1)</script>')\ncausal_mask = padding_mask\n",
    )
    grade_class(tmp_path / "in", tmp_path / "out", workers=1)
    page = (tmp_path / "out" / "feedback" / "eve" / f"{SLUG}.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    exercise = next(entry for entry in load(SLUG)[1] if entry.id == EXERCISE)
    public = {case.label for part in exercise.parts for case in part.public}
    assert all(case.label not in page for part in exercise.parts for case in part.hidden if case.label not in public)


def test_public_cases_are_run_where_they_explain(tmp_path, right):
    """Right on the hidden cases: nothing else is run. Wrong there: the page shows the public cases. Stopped: one wait is enough."""
    looping = right.replace("def causal_mask(size):", "def causal_mask(size):\n    while True:\n        pass", 1)
    first_only = right.replace("def causal_mask(size):", "def causal_mask(size):\n    if size > 4:\n        return None", 1)
    for student, answer in [("right", right), ("looping", looping), ("first_only", first_only)]:
        hand_in(tmp_path / "in", student, answer)
    key = next(key for key in load_assignment(SLUG).keys if key["id"] == EXERCISE)
    verdicts = {}
    sandbox = Sandbox()
    for student in ("right", "looping", "first_only"):
        contents = {"notebook": (tmp_path / "in" / student / SLUG / f"{SLUG}.ipynb").read_bytes()}
        verdicts[student] = grade_submission(sandbox, contents, [key], {}, set())[0].verdict
    sandbox.close()
    shown = {student: [[case.hidden for case in part.cases] for part in verdict.parts] for student, verdict in verdicts.items()}
    hidden = [[case["hidden"] for case in part["cases"] if case["hidden"]] for part in key["parts"]]
    whole = [[case["hidden"] for case in part["cases"]] for part in key["parts"]]
    assert verdicts["right"].status == "passed" and shown["right"] == hidden
    assert verdicts["first_only"].status == "partial" and shown["first_only"] == [hidden[0], whole[1]]
    assert verdicts["looping"].points < key["points"] and [case.kind for case in verdicts["looping"].parts[1].cases] == ["timeout"] * len(whole[1])


def test_an_answer_for_the_public_sizes_alone_is_told_so(tmp_path, right):
    """Nothing of what can be seen fails, so the page says where to look, and shows no hidden case."""
    hand_in(tmp_path / "in", "zoe", right.replace("def causal_mask(size):", "def causal_mask(size):\n    size = 4", 1))
    rows = grade_class(tmp_path / "in", tmp_path / "out", workers=1)
    page = (tmp_path / "out" / "feedback" / "zoe" / f"{SLUG}.html").read_text()
    assert by_student(rows)["zoe"]["status"] == "partial" and page.count("passes on the public cases, but not on other inputs") == 1


def command(*arguments, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "autograder", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, **kwargs
    )


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda folder: None, "there is no folder"),
        (lambda folder: folder.mkdir(), "no submission in"),
    ],
)
def test_bad_folders_are_one_sentence(tmp_path, prepare, says):
    prepare(tmp_path / "in")
    run = command("grade", tmp_path / "in", "--out", tmp_path / "out")
    assert run.returncode == 1 and says in run.stderr and run.stderr.count("\n") == 1 and "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_unknown_notebook_and_missing_bubblewrap(tmp_path, monkeypatch, right):
    run = command("build", "07_nonsense")
    assert run.returncode == 1 and 'there is no notebook "07_nonsense"' in run.stderr
    hand_in(tmp_path / "in", "ann", right)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="bubblewrap is not installed"):
        grade_class(tmp_path / "in", tmp_path / "out", workers=1)
    rows = grade_class(tmp_path / "in", tmp_path / "out", workers=1, unsafe=True)
    assert by_student(rows)["ann"]["status"] == "passed"


def test_missing_and_stale_keys(tmp_path, monkeypatch, right):
    hand_in(tmp_path / "in", "ann", right)
    monkeypatch.setattr("autograder.build.record.FULL_KEYS", tmp_path / "keys")
    with pytest.raises(UserError, match="run `make build` first"):
        grade_class(tmp_path / "in", tmp_path / "out", workers=1)


def test_out_that_cannot_be_written(tmp_path, right):
    hand_in(tmp_path / "in", "ann", right)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match="cannot write results"):
        grade_class(tmp_path / "in", tmp_path / "out", workers=1)
