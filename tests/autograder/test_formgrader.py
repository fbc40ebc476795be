"""What formgrader shows of a submission: the course's prose as it is, a student's text without its HTML, verdicts, places for marks."""

import json

import nbformat
import pytest

from autograder.grading.assignment import load_assignment
from autograder.grading.autograded import write_autograded
from autograder.grading.notebook import read_cells
from autograder.paths import NOTEBOOKS
from tests.autograder.helpers import ESSAY, SLUG

TEXT = "After `<bos>`: <b>bold</b> <script>alert(1)</script> [here](javascript:alert(1))"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The cells that are shown of an untouched notebook with an essay that holds HTML, and those of one without its essay's cell."""
    folder = tmp_path_factory.mktemp("course")
    fold = "<details><summary>the inputs</summary>2</details>"
    entries = [
        {"exercise": name, "points": 0.0, "status": "manual" if name == ESSAY else "unanswered", "html": fold}
        for name in load_assignment(SLUG).order
    ]
    pages = []
    for name, keep in (("ann", True), ("bob", False)):
        notebook = json.loads((NOTEBOOKS / f"{SLUG}.ipynb").read_text())
        for cell in notebook["cells"]:
            if cell["id"] == ESSAY:
                cell["source"] = TEXT
        notebook["cells"] = [cell for cell in notebook["cells"] if keep or cell["id"] != ESSAY]
        cells = read_cells(json.dumps(notebook).encode(), load_assignment(SLUG).demos)
        write_autograded(folder, name, SLUG, cells, entries)
        notebook = nbformat.read(folder / "autograded" / name / SLUG / f"{SLUG}.ipynb", as_version=4)
        nbformat.validate(notebook)
        pages.append(notebook.cells)
    return pages


def graded(cells):
    return {cell.metadata["nbgrader"]["grade_id"]: cell for cell in cells if "nbgrader" in cell.metadata}


def test_a_students_html_is_shown_as_typed(shown):
    essay = graded(shown[0])[ESSAY].source
    assert essay.replace("\u200b", "") == TEXT  # code too: no `&lt;bos>`
    assert "<b" not in essay and "<script" not in essay and "javascript:" not in essay


def test_the_courses_prose_keeps_its_folded_hints(shown):
    prose = [cell.source for cell in shown[0] if cell.cell_type == "markdown"]
    hints = [text for text in prose if "<details>" in text]
    assert hints and all('<summary style="display: list-item">' in text for text in hints)


def test_what_says_nothing_without_outputs_is_left_out(shown):
    texts = [cell.source for cell in shown[0]]
    assert not any(text.startswith(("[![Open in Colab]", "*Figure:*", "# Set-up")) for text in texts)


def test_the_rubric_stands_above_the_answer(shown):
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in shown[0]]
    assert shown[0][names.index(ESSAY) - 1].source.startswith("**How it is marked**")


def test_every_exercise_has_its_place_even_if_its_cell_is_gone(shown):
    expected = {name if name == ESSAY else f"{name}_check" for name in load_assignment(SLUG).order}
    assert all(expected <= graded(cells).keys() for cells in shown)
