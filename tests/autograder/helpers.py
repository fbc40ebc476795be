"""Making submissions for tests of the grader."""

import json

import nbformat

from autograder.build.master import reference_code
from autograder.build.write import load
from autograder.paths import NOTEBOOKS

SLUG = "06_attention"
EXERCISE = "attention_masks"  # small and quick
ESSAY = "head_observations"


def right(exercise=EXERCISE, slug=SLUG):
    """The reference answer."""
    return reference_code(load(slug)[0].answer(exercise))


def hand_in(folder, student, answers=None, slug=SLUG, raw=None):
    """A submission: the student notebook with some answers (by id, or one text for EXERCISE), or raw bytes. Returns its path."""
    answers = {EXERCISE: answers} if isinstance(answers, str) else answers or {}
    path = folder / student / slug / f"{slug}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if raw is not None:
        path.write_bytes(raw)
        return path
    notebook = nbformat.read(NOTEBOOKS / f"{slug}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.id in answers:
            cell.source = answers[cell.id]
    path.write_text(json.dumps(notebook))
    return path


def by_student(rows, exercise=EXERCISE):
    """The rows of one exercise."""
    return {row["student"]: row for row in rows if row["exercise"] == exercise}
