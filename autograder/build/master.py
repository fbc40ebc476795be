"""Reading a master: a Jupytext percent script in `solutions/`, and cutting the solutions out of it."""

import re
from dataclasses import dataclass, field

import jupytext

from autograder.paths import SOLUTIONS, UserError

BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"
STUB, TOP_LEVEL_STUB = "raise NotImplementedError", "...  # your answer"


@dataclass(frozen=True)
class Cell:
    """A cell of a master. `exercise` is set on answer cells, `rubric` on the marking scheme of a written question."""

    kind: str  # "code" or "markdown"
    source: str
    exercise: str = ""
    rubric: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Master:
    """A notebook's master."""

    slug: str
    cells: list[Cell]
    text: str = field(repr=False)

    def answer(self, exercise: str) -> Cell:
        """The reference answer of an exercise."""
        return next(cell for cell in self.cells if cell.exercise == exercise)

    def exercises(self) -> list[str]:
        """The ids of its exercises, in order."""
        return [cell.exercise for cell in self.cells if cell.exercise]

    def rubric(self, exercise: str) -> str:
        """The marking scheme of a written question, empty if there is none."""
        return next((cell.source for cell in self.cells if cell.rubric == exercise), "")


def read_master(slug: str) -> Master:
    """The master of a notebook.

    Raises:
        UserError: there is none, or a cell's markers do not pair, or an exercise stands twice.
    """
    path = SOLUTIONS / f"{slug}.py"
    if not path.exists():
        raise UserError(f"there is no master {path.relative_to(SOLUTIONS.parent)}")
    text = path.read_text()
    cells = []
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        meta = cell.metadata
        cells.append(
            Cell(
                cell.cell_type,
                cell.source,
                meta.get("exercise", ""),
                meta.get("rubric", ""),
                tuple(meta.get("tags", ())),
            )
        )
    master = Master(slug, cells, text)
    ids = master.exercises()
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise UserError(f"{path.name}: more than one answer cell for {', '.join(twice)}")
    for cell in cells:
        if cell.kind == "code":
            cut_solution(cell, path.name)
    return master


def cut_solution(cell: Cell, where: str = "") -> str:
    """The starter: what stands between the markers becomes a stub.

    Raises:
        UserError: a marker without its partner, or an answer without any.
    """
    lines, inside, found = [], False, False
    for line in cell.source.splitlines():
        word = line.strip()
        if word == BEGIN:
            if inside:
                raise UserError(f"{where}: {BEGIN} twice without {END} in the cell {cell.exercise!r}")
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(indent + (STUB if indent else TOP_LEVEL_STUB))
            inside = found = True
        elif word == END:
            if not inside:
                raise UserError(f"{where}: {END} without {BEGIN} in the cell {cell.exercise!r}")
            inside = False
        elif not inside:
            lines.append(line)
    if inside or (cell.exercise and not found) or (found and not cell.exercise):
        raise UserError(
            f"{where}: an answer cell needs pairs of {BEGIN} and {END}, other cells none ({cell.exercise or cell.source[:40]!r})"
        )
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def solution_lines(cell: Cell) -> list[str]:
    """The lines between the markers, stripped: what may not be found in anything that students get."""
    lines, inside = [], False
    for line in cell.source.splitlines():
        if line.strip() in (BEGIN, END):
            inside = line.strip() == BEGIN
        elif inside and line.strip():
            lines.append(line.strip())
    return lines


def reference_code(cell: Cell) -> str:
    """A reference answer as code, without the markers."""
    return "\n".join(line for line in cell.source.splitlines() if line.strip() not in (BEGIN, END))
