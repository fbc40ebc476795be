"""Reading what was handed in: the notebook's cells, and the files that go with it. Nothing is run here."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

MAX_NOTEBOOK = 20 * 2**20
MAX_FILES = 50 * 2**20
MAX_CELLS, MAX_SOURCE = 2000, 2**20  # a course notebook has about 150 cells; characters of code, all cells together


class Unreadable(Exception):
    """It is not a notebook that could be graded; the message is for its row and its page."""


@dataclass
class Cell:
    """A cell of a submission; `name` is the exercise's id for answers, else the cell's own id or number."""

    kind: str
    source: str
    name: str
    demo: bool


def read_submission(path: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The bytes of a notebook (under the name "notebook") and of the files named that lie beside it.

    Raises:
        Unreadable: a file is too large, a link, or cannot be read.
    """
    try:
        found = {"notebook": _bytes(path, MAX_NOTEBOOK, "the notebook", "clear its outputs and hand it in again")}
        for name in names:
            if _there(path.parent / name):
                found[name] = _bytes(path.parent / name, MAX_FILES, name, "hand in a smaller one")
        return found
    except OSError as error:
        raise Unreadable(f"the submission cannot be read: {error.strerror}") from None


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _bytes(path: Path, limit: int, what: str, advice: str) -> bytes:
    if path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink():
        raise Unreadable(f"{what} is a symbolic link, and links are not followed: hand in the file itself")
    if not path.is_file():
        raise Unreadable(f"{what} is not a file")
    if path.stat().st_size > limit:
        raise Unreadable(f"{what} is larger than {limit // 2**20} MB: {advice}")
    with open(path, "rb") as file:
        return file.read(limit)


def digest(contents: dict[str, bytes]) -> str:
    """A hash of all that was handed in."""
    whole = hashlib.sha256()
    for name, content in sorted(contents.items()):
        whole.update(f"{name} {len(content)} ".encode() + content)
    return whole.hexdigest()


def read_cells(content: bytes, demos: set[str]) -> list[Cell]:
    """The cells of a submitted notebook.

    Args:
        content: the bytes of the notebook.
        demos: ids of the demonstration cells in the notebook as it was handed out.

    Raises:
        Unreadable: it is no notebook, or has too many cells.
    """
    try:
        notebook = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Unreadable("the file is not a notebook: it is not valid JSON in UTF-8") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("the file is JSON, but not a notebook of format 4: it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"the notebook has {len(cells):,} cells, more than {MAX_CELLS:,}")
    found = [cell for number, raw in enumerate(cells) if (cell := _read_cell(raw, number, demos))]
    if sum(len(cell.source) for cell in found) > MAX_SOURCE:
        raise Unreadable(f"the notebook's cells hold more than {MAX_SOURCE:,} characters")
    return found


def code_cells(cells: list[Cell]) -> list[Cell]:
    """What is run of a notebook: its code, but for the calls of check."""
    return [cell for cell in cells if cell.kind == "code" and not cell.name.endswith("_check")]


def _read_cell(raw, number: int, demos: set[str]) -> Cell | None:
    if not isinstance(raw, dict):
        return None
    source = raw.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return None
    source = source.encode("utf-8", "replace").decode("utf-8")  # lone surrogates can be in JSON, but not in a message
    identity = raw.get("id") if isinstance(raw.get("id"), str) else ""
    meta = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    nbgrader = meta.get("nbgrader") if isinstance(meta.get("nbgrader"), dict) else {}
    grade_id = nbgrader.get("grade_id")
    tags = meta.get("tags") if isinstance(meta.get("tags"), list) else []
    name = grade_id if isinstance(grade_id, str) else identity or f"number {number}"
    name = name.encode("utf-8", "replace").decode("utf-8")[:100]
    return Cell(str(raw.get("cell_type")), source, name, "demo" in tags or identity in demos)
