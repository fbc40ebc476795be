"""Notebooks made from a master: what students open, and the solution that instructors read."""

import hashlib

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.build.master import Cell, Master, cut_solution, reference_code
from autograder.paths import BRANCH, REPOSITORY
from autograder.specs.spec import Exercise

WRITE_HERE = "*Write your answer here.*"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
NOT_FOR_OTTER = {"otter": {"ignore": True}}  # otter runs its own tests, and no cell that no exercise needs
SET_UP = f"""\
# Set-up: installs the course's helper where it is missing (Colab); does nothing elsewhere.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("dlcourse") is None:
    source = "https://github.com/{REPOSITORY}/archive/refs/heads/{BRANCH}.zip"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source], check=True)
"""


def student_notebook(master: Master, exercises: list[Exercise]) -> nbformat.NotebookNode:
    """The notebook that students get: starters for answers, no rubric, no outputs."""
    return _notebook(master, exercises, solutions=False)


def solution_notebook(master: Master, exercises: list[Exercise]) -> nbformat.NotebookNode:
    """The notebook with reference answers and rubrics, not executed yet."""
    return _notebook(master, exercises, solutions=True)


def _notebook(master: Master, exercises: list[Exercise], solutions: bool) -> nbformat.NotebookNode:
    by_id = {exercise.id: exercise for exercise in exercises}
    cells = [_prose(_badge(master.slug)), _prose(master.cells[0].source), new_code_cell(SET_UP.strip(), id="set_up")]
    for cell in master.cells[1:]:
        if cell.exercise:
            cells += _answer_cells(cell, by_id[cell.exercise], solutions)
        elif cell.rubric:
            cells += [_prose(cell.source)] if solutions else []
        elif cell.kind == "markdown":
            cells.append(_prose(cell.source))
        else:
            cells.append(new_code_cell(cell.source, metadata=_tags(cell)))
    notebook = new_notebook(cells=cells, metadata=METADATA)
    _number(notebook)
    nbformat.validate(notebook)
    return notebook


def _badge(slug: str) -> str:
    url = f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/notebooks/{slug}.ipynb"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({url})"


def _prose(source: str) -> nbformat.NotebookNode:
    return new_markdown_cell(source)


def _answer_cells(cell: Cell, exercise: Exercise, solutions: bool) -> list[nbformat.NotebookNode]:
    """An answer cell with nbgrader's metadata, and the check cell that belongs to it."""
    if exercise.kind == "written":
        source = cell.source if solutions else WRITE_HERE
        meta = _nbgrader(exercise.id, "markdown", grade=True, solution=True, points=exercise.points)
        return [new_markdown_cell(source, metadata=meta, id=exercise.id)]
    source = reference_code(cell) if solutions else cut_solution(cell)
    check = f"{exercise.id}_check"
    return [
        new_code_cell(source, metadata=_nbgrader(exercise.id, "code", solution=True), id=exercise.id),
        new_code_cell(
            f'check("{exercise.id}")',
            metadata=_nbgrader(check, "code", grade=True, locked=True, points=exercise.points) | NOT_FOR_OTTER,
            id=check,
        ),
    ]


def _tags(cell: Cell) -> dict:
    if not cell.tags:
        return {}
    return {"tags": list(cell.tags)} | (NOT_FOR_OTTER if "demo" in cell.tags else {})


def _nbgrader(grade_id: str, cell_type: str, grade=False, solution=False, locked=False, points=None) -> dict:
    """nbgrader's metadata, schema 3, which allows these fields and no others."""
    meta = {
        "schema_version": 3, "grade_id": grade_id, "cell_type": cell_type,
        "grade": grade, "solution": solution, "locked": locked, "task": False,
    }  # fmt: skip
    if points is not None:
        meta["points"] = points
    return {"nbgrader": meta}


def _number(notebook: nbformat.NotebookNode) -> None:
    """Ids that stay when other cells change: from the exercise, else from what stands in the cell."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata or cell.id == "set_up":
            continue
        name = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def notebook_text(notebook: nbformat.NotebookNode) -> str:
    """The notebook as it is written to disk."""
    return nbformat.writes(notebook, version=4) + "\n"
