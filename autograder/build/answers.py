"""Other right answers: `autograder/answers/<slug>/*.py`, percent scripts with one cell for each exercise."""

from pathlib import Path

import jupytext

from autograder.build.master import Master, reference_code
from autograder.grading.cells import new_namespace, run_cell
from autograder.paths import ANSWERS


def answer_files(slug: str) -> list[Path]:
    """The files with other right answers for a notebook."""
    return sorted((ANSWERS / slug).glob("*.py"))


def read_answers(path: Path) -> dict[str, str]:
    """Exercise id -> source, of one file."""
    cells = jupytext.reads(path.read_text(), fmt="py:percent").cells
    return {cell.metadata["exercise"]: cell.source for cell in cells if "exercise" in cell.metadata}


def namespace_with(master: Master, answers: dict[str, str], edits=(), before: str | None = None) -> dict:
    """A notebook's namespace (demonstrations left out): reference answers, but for those that are replaced.

    Args:
        master: the notebook.
        answers: exercise id -> what stands there instead.
        edits: pairs (old, new), made in every cell where they apply.
        before: stop before the answer cell of this exercise; at the end if not given.
    """
    namespace = new_namespace()
    for cell in master.cells:
        if before and cell.exercise == before:
            break
        if cell.kind == "code" and "demo" not in cell.tags:
            source = answers.get(cell.exercise, reference_code(cell))
            for old, new in edits:
                source = source.replace(old, new)
            run_cell(source, cell.exercise or "setup", namespace)
    return namespace
