"""Before you hand in the final project: what is there, and what is missing. Reads files, and changes none."""

import ast
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from dlcourse.checks.key import PUBLIC, exercise_ids
from dlcourse.quality import is_starter, quality

NAME = "09_final_project"
CHECKPOINT = "checkpoint.pt"
MAX_BYTES = 50 * 2**20
WORDS = {"project_analysis": 300, "project_quality": 40}  # fewer can hardly say what is asked
PROJECTS = ("A", "B", "C")


@dataclass(frozen=True)
class Item:
    """One line of the list."""

    done: bool
    text: str


class Checklist:
    """The list; `complete` when nothing is missing. Prints as text."""

    def __init__(self, items: list[Item]):
        self.items = items

    @property
    def complete(self) -> bool:
        """Whether everything is there."""
        return all(item.done for item in self.items)

    @property
    def missing(self) -> list[str]:
        """What is not."""
        return [item.text for item in self.items if not item.done]

    def __repr__(self) -> str:
        lines = [f"{'✓' if item.done else '✗'} {item.text}" for item in self.items]
        end = "Everything is there." if self.complete else f"Missing: {len(self.missing)} of {len(self.items)}. Nothing was changed."
        return "\n".join([*lines, end])


def checklist(notebook: str | Path = f"{NAME}.ipynb") -> Checklist:
    """Look at a saved notebook and at the checkpoint beside it. Never raises for what it finds, and changes nothing.

    It reads the file on the disk: save the notebook first. It does not run your code, so it says nothing about points; `check` does.
    """
    path = Path(notebook)
    if not path.is_file():
        return Checklist([Item(False, f"{path} is not there: save the notebook, or give its path")])
    try:
        cells = _cells(path)
    except (OSError, ValueError) as error:
        return Checklist([Item(False, f"{path} cannot be read as a notebook ({str(error)[:80]}): save it again")])
    named = {name: [source for key, source in cells if key == name] for name in (*_exercises(), *WORDS)}
    trees = {name: _tree(sources[0]) for name, sources in named.items() if sources and name not in WORDS}
    project = _project([source for _, source in cells])
    items = [Item(True, f"{path.name} can be read"), _project_item(project)]
    for name, sources in named.items():
        if len(sources) != 1:
            count = "no cell" if not sources else f"{len(sources)} cells"
            items.append(Item(False, f"{name}: {count} for it, and there must be one; look at a fresh notebook"))
        elif name in WORDS:
            items.append(_essay(name, sources[0]))
        else:
            items.append(_code(name, trees[name], project))
    items += [_checkpoint(path.with_name(CHECKPOINT)), _quality({name: s[0] for name, s in named.items() if s and name not in WORDS})]
    return Checklist(items)


def pack(notebook: str | Path = f"{NAME}.ipynb", out: str | Path | None = None) -> Path:
    """Write a zip with the notebook and its checkpoint; nothing else is touched. Returns its path.

    Raises:
        FileNotFoundError: one of the two is not there.
        ValueError: the checkpoint is too large.
    """
    path = Path(notebook)
    checkpoint = path.with_name(CHECKPOINT)
    for file in (path, checkpoint):
        if not file.is_file():
            raise FileNotFoundError(f"{file} is not there: a submission needs the notebook and {CHECKPOINT} beside it")
    if checkpoint.stat().st_size > MAX_BYTES:
        raise ValueError(f"{checkpoint} takes {_megabytes(checkpoint)} MB, more than {MAX_BYTES >> 20}: save it without the optimizer")
    target = Path(out) if out else path.with_suffix(".zip")
    if target.resolve() in (path.resolve(), checkpoint.resolve()):
        raise ValueError(f"{target} is a file to be handed in, so it cannot become the zip: choose another name")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, f"{NAME}.ipynb")
        archive.write(checkpoint, CHECKPOINT)
    return target


def _cells(path: Path) -> list[tuple[str, str]]:
    """Exercise id (or nothing) and source of every cell."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("it has no cells")
    found = []
    for cell in notebook["cells"]:
        metadata = cell.get("metadata", {}) if isinstance(cell, dict) else {}
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        name = metadata.get("nbgrader", {}).get("grade_id", "") if isinstance(metadata.get("nbgrader", {}), dict) else ""
        found.append((name, "".join(source) if isinstance(source, list) else str(source)))
    return found


def _exercises() -> list[str]:
    """The exercises with a check, in the order of the course."""
    return sorted((name for name in exercise_ids(PUBLIC) if name.startswith("project_")), key=_place)


def _place(name: str) -> int:
    order = ("project_data", "project_model", "project_training", "project_performance")
    return order.index(name) if name in order else len(order)


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _project(sources: list[str]) -> str:
    """What PROJECT is set to, last."""
    found = [match for source in sources for match in re.findall(r"""^PROJECT\s*=\s*["'](\w*)["']""", source, re.MULTILINE)]
    return found[-1] if found else ""


def _project_item(project: str) -> Item:
    chosen = f'PROJECT = "{project}"' if project else "PROJECT is not set"
    return Item(project in PROJECTS, f"{chosen}; it must be one of {', '.join(PROJECTS)}" if project not in PROJECTS else f"option {project}")


def _code(name: str, tree: ast.Module | None, project: str) -> Item:
    if tree is None:
        return Item(False, f"{name}: Python cannot read the cell")
    left = [node.name for node in _of_option(tree, project) if is_starter(node)]
    return Item(not left, f"{name}: still to be written: {', '.join(left)}" if left else f"{name}: written")


def _of_option(tree: ast.AST, project: str):
    """The functions that count for an option: not those in another option's branch of `if PROJECT == ...`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _of_option(node, project)
        elif isinstance(node, ast.If):
            option = _compared(node.test)
            if option is None or option == project:
                yield from _of_option(ast.Module(node.body, []), project)
            if option is None or option != project:
                yield from _of_option(ast.Module(node.orelse, []), project)


def _compared(test: ast.expr) -> str | None:
    """X in `PROJECT == "X"`."""
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "PROJECT" and isinstance(test.ops[0], ast.Eq):
        right = test.comparators[0]
        return right.value if isinstance(right, ast.Constant) else None
    return None


def _essay(name: str, text: str) -> Item:
    count, least = len(re.findall(r"\w+", text)), WORDS[name]
    return Item(count >= least, f"{name}: {count} words" + ("" if count >= least else f", {least} at least are needed to say what is asked"))


def _megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.1f}"


def _checkpoint(path: Path) -> Item:
    """Whether the file is there, small enough, safe to load, and holds numbers."""
    if not path.is_file():
        return Item(False, f"{path.name} is not beside the notebook: run the training cell")
    if path.stat().st_size > MAX_BYTES:
        return Item(False, f"{path.name} takes {_megabytes(path)} MB, more than {MAX_BYTES >> 20}: save it without the optimizer")
    try:
        tensors = list(_tensors(torch.load(path, map_location="cpu", weights_only=True)))
    except Exception as error:  # noqa: BLE001 (whatever is in the file, this list goes on)
        return Item(False, f"{path.name} cannot be loaded with weights_only=True ({type(error).__name__}): save state_dicts and numbers alone")
    if not tensors:
        return Item(False, f"{path.name} holds no weights")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors if tensor.is_floating_point()):
        return Item(False, f"{path.name} holds weights that are not finite: the training went wrong")
    return Item(True, f"{path.name}: {sum(tensor.numel() for tensor in tensors):,} numbers, {_megabytes(path)} MB, safe to load")


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _tensors(entry)


def _quality(sources: dict[str, str]) -> Item:
    """Never an obstacle: what the automatic half of `project_quality` would find."""
    found = quality(sources)
    shown = "; ".join(found.findings[:5]) + (f"; and {len(found.findings) - 5} more" if len(found.findings) > 5 else "")
    if found.points is None:
        return Item(True, f"code quality, for your information: {shown}")
    return Item(True, f"code quality, for your information: {found.points:g} of the 5 automatic points" + (f": {shown}" if shown else ""))
