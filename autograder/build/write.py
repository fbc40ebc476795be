"""The build: writes the committed files of a notebook, and says which of them had to change."""

import functools
from dataclasses import dataclass
from pathlib import Path

from autograder.build.master import Master, read_master
from autograder.build.notebooks import notebook_text, student_notebook
from autograder.build.record import fingerprint, key_paths, record_notebook
from autograder.paths import FULL_KEYS, NOTEBOOKS, PUBLIC_KEYS, UserError
from autograder.specs.spec import Exercise, exercises_of
from dlcourse.checks.key import KeyMissing, read_key


@dataclass(frozen=True)
class Built:
    """What a build changed: paths written, paths removed."""

    written: list[Path]
    removed: list[Path]


@functools.lru_cache(maxsize=16)
def load(slug: str) -> tuple[Master, list[Exercise]]:
    """A notebook's master and specs, found to agree on the exercises and their order.

    Raises:
        UserError: they do not.
    """
    master = read_master(slug)
    try:
        exercises = exercises_of(slug)
    except ModuleNotFoundError as error:
        raise UserError(f"{slug}: no spec, autograder/specs/n{slug}.py is missing ({error})") from None
    if [exercise.id for exercise in exercises] != master.exercises():
        raise UserError(
            f"{slug}: the master has the exercises {', '.join(master.exercises())}; "
            f"the spec has {', '.join(exercise.id for exercise in exercises)}: make them the same, in the same order"
        )
    for exercise in exercises:
        if exercise.kind == "written" and not master.rubric(exercise.id):
            raise UserError(f'{slug}: the written question "{exercise.id}" has no rubric cell')
    return master, exercises


def build_notebook(slug: str, force: bool = False, progress=None) -> Built:
    """Build a notebook's committed files: student notebook, full and public keys."""
    master, exercises = load(slug)
    files: dict[Path, bytes] = {
        NOTEBOOKS / f"{slug}.ipynb": notebook_text(student_notebook(master, exercises)).encode()
    }
    for recorded in record_notebook(master, exercises, force, progress):
        full, public = key_paths(slug, recorded.exercise)
        files[full], files[public] = recorded.full, recorded.public
    written = [path for path, content in files.items() if not path.exists() or path.read_bytes() != content]
    for path in written:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[path])
    old = [path for folder in (FULL_KEYS, PUBLIC_KEYS) for path in (folder / slug).glob("*.key") if path not in files]
    for path in old:
        path.unlink()
    return Built(written, old)


def stale_files(slug: str) -> list[str]:
    """What is committed and no longer what the sources would make; without running any answer, so in a moment."""
    master, exercises = load(slug)
    stale = []
    notebook = NOTEBOOKS / f"{slug}.ipynb"
    if not notebook.exists() or notebook.read_text() != notebook_text(student_notebook(master, exercises)):
        stale.append(f"notebooks/{slug}.ipynb")
    for exercise in exercises:
        if exercise.kind != "written":
            stale += [f"the key of {exercise.id}"] if not _fresh(master, exercise) else []
    return stale


def _fresh(master: Master, exercise: Exercise) -> bool:
    try:
        return all(
            read_key(path)["made_from"] == fingerprint(master, exercise) for path in key_paths(master.slug, exercise.id)
        )
    except KeyMissing:
        return False
