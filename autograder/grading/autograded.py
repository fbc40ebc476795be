"""OUT/autograded/<student>/<slug>/<slug>.ipynb: what formgrader shows of a submission, the student's cells with our verdicts as outputs."""

import functools
import json
import re
from pathlib import Path

import nbformat

from autograder.build.write import load
from autograder.grading.notebook import Cell
from autograder.grading.results import write_whole
from autograder.paths import NOTEBOOKS

WITHOUT_OUTPUTS = ("[![Open in Colab]", "*Figure:*")  # prose that begins so says nothing where there are no outputs
METADATA = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}


def write_autograded(out: Path, student: str, slug: str, cells: list[Cell], entries: list[dict]) -> None:
    """Write it. The student's outputs are left out, and HTML of theirs is defused.

    Args:
        out: the folder of the graded class.
        student: whose it is.
        slug: of which notebook.
        cells: of the submission.
        entries: results of all its exercises, as they are kept.
    """
    notebook = {"cells": _shown(slug, cells, entries), "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{number}"
    write_whole(out / "autograded" / student / slug / f"{slug}.ipynb", json.dumps(notebook))


@functools.lru_cache(maxsize=16)
def _handed_out(slug: str) -> dict[str, nbformat.NotebookNode]:
    """The cells of a notebook as students got it, by id."""
    return {cell.id: cell for cell in nbformat.read(NOTEBOOKS / f"{slug}.ipynb", as_version=4).cells}


def _shown(slug: str, cells: list[Cell], entries: list[dict]) -> list[dict]:
    master, exercises = load(slug)
    results = {entry["exercise"]: entry for entry in entries}
    source = _handed_out(slug)
    last = {cell.name: number for number, cell in enumerate(cells)}
    shown = []
    for number, cell in enumerate(cells):
        if cell.name.endswith("_check") or cell.demo:
            continue
        given = source.get(cell.name)
        ours = given is not None and given.source == cell.source
        if ours and (cell.name == "set_up" or cell.source.startswith(WITHOUT_OUTPUTS)):
            continue
        mine = cell.name in results and last[cell.name] == number
        if mine and results[cell.name]["status"] == "manual":
            shown.append(_markdown(f"**How it is marked**\n\n{master.rubric(cell.name)}"))
        shown.append(_cell(cell, given.metadata.get("nbgrader") if mine else None, ours))
        if mine and f"{cell.name}_check" in source:
            shown.append(_check_cell(source[f"{cell.name}_check"], results[cell.name]))
    for exercise in exercises:  # what is gone from the submission still needs its place for points
        if exercise.id not in last:
            if exercise.kind == "written":
                meta = source[exercise.id].metadata["nbgrader"]
                shown.append(_cell(Cell("markdown", "*(this cell is not in the notebook)*", exercise.id, False), meta, ours=True))
            else:
                shown.append(_check_cell(source[f"{exercise.id}_check"], results[exercise.id]))
    return shown


def _markdown(source: str, metadata: dict | None = None) -> dict:
    return {"cell_type": "markdown", "source": source, "metadata": metadata or {}}


def _code(source: str, metadata: dict, outputs: list[dict]) -> dict:
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": outputs, "execution_count": 1 if outputs else None}


def _cell(cell: Cell, meta: dict | None, ours: bool) -> dict:
    """A cell as formgrader gets it; `ours`: it is as it was handed out."""
    metadata = {"nbgrader": _complete(meta, cell.kind)} if meta else {}
    if cell.kind == "code":
        return _code(cell.source, metadata, [])
    return _markdown(_foldable(cell.source) if ours else defused(cell.source), metadata)


def _check_cell(source, entry: dict) -> dict:
    page = entry["html"] or f"<p>{entry['status']}</p>"
    data = {"text/plain": str(entry["points"]), "text/html": _foldable(page)}
    output = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}
    return _code(source.source, {"nbgrader": _complete(source.metadata["nbgrader"], "code")}, [output])


def _complete(meta: dict, kind: str) -> dict:
    return {**meta, "cell_type": "code" if kind == "code" else "markdown"}


def _foldable(page: str) -> str:
    """formgrader's style sheet hides the triangle by which a folded part is known."""
    return page.replace("<summary>", '<summary style="display: list-item">')


def defused(markdown: str) -> str:
    """A student's Markdown without its HTML: tags are shown as they were typed, links to scripts lead nowhere.

    A space of no width after `<` makes it no tag. `&lt;` would do so too, but code would show it as `&lt;`.
    """
    text = re.sub(r"<(?=[A-Za-z/!?])", "<\u200b", markdown)
    return re.sub(r"(?i)(javascript|vbscript|data)\s*:", "\\1\u200b:", text)
