"""The public course repository: what students get, and nothing else; and beside it what the instructor's platforms take.

DEST/            notebooks/, dlcourse/ with public keys, data/, a guide, README.md, LICENSE, pyproject.toml, environment.yml
DEST/.release.json   the names and hashes of the files that a release wrote: a later release changes and removes only these

What lies in DEST besides (.git above all) is never touched.
"""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import tomllib

from autograder.build.write import stale_files
from autograder.grading.results import write_whole
from autograder.paths import (
    BRANCH,
    BUILD,
    FINISHED,
    NOTEBOOKS,
    PUBLIC_KEYS,
    REPOSITORY,
    ROOT,
    SLUGS,
    UserError,
    written_slugs,
)
from dlcourse.checks.key import read_key

RECORD = ".release.json"
TEMPLATES = Path(__file__).parent / "student"
FROM_TEMPLATES = ("README.md", "LICENSE", "pyproject.toml", "environment.yml", ".gitignore", ".gitattributes")
GUIDE = ("docs/jupyterlab.md", "docs/pictures/check_mistake.png", "docs/pictures/check_passes.png")
INSTRUCTOR = BUILD / "release"


@dataclass(frozen=True)
class Released:
    """What a release changed, and where the instructor's files are (if they were made)."""

    written: list[str]
    removed: list[str]
    kept: list[str]  # of an earlier release, not part of this one, but changed by somebody since
    instructor: Path | None


def release(dest: Path, instructor: Path | None = INSTRUCTOR, progress=None) -> Released:
    """Write or update the public repository in DEST.

    Args:
        dest: a folder that is new, empty, fresh from `git init` or `git clone` of an earlier release, or holds one.
        instructor: where the nbgrader course and Gradescope's zips go, which hold hidden cases; None leaves them out.
        progress: called with a sentence after each step.

    Raises:
        UserError: DEST holds something else, or a file of a release that somebody changed; the notebooks are not up to date; DEST and
            `instructor` lie in each other or DEST in this repository's sources.
    """
    _refuse_bad_places(dest, instructor)
    if stale := [name for slug in written_slugs() for name in stale_files(slug)]:
        raise UserError(f"not up to date: {', '.join(stale)}; run `make build` first")
    files = public_files()
    before = _earlier_release(dest)
    _refuse_others_changes(dest, files, before)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    try:
        written = [name for name, content in files.items() if _write(dest / name, content)]
        removed, kept = _remove(dest, {name: old for name, old in before.items() if name not in files})
        _write(dest / RECORD, (json.dumps(hashes, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise UserError(
            f"cannot write to {dest}: {error.strerror}; once that is mended, run the same command again"
        ) from None
    if progress:
        progress(f"{dest}: {len(written)} files written, {len(removed)} removed")
    if instructor:
        write_instructors_files(instructor, progress)
    return Released(written, removed, kept, instructor)


def public_files() -> dict[str, bytes]:
    """Everything that students get: path in DEST -> content.

    Raises:
        UserError: a public key holds a hidden case.
    """
    files = {f"notebooks/{slug}.ipynb": (NOTEBOOKS / f"{slug}.ipynb").read_bytes() for slug in written_slugs()}
    for path in _sources("dlcourse"):
        name = path.relative_to(ROOT).as_posix()
        if not _is_unfinished(path):
            files[name] = _with_address(path.read_bytes()) if name == "dlcourse/data.py" else path.read_bytes()
    files |= {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in _sources("data")}
    files |= {name: (ROOT / name).read_bytes() for name in GUIDE}
    for path in PUBLIC_KEYS.rglob("*.key"):
        if any(case["hidden"] for part in read_key(path)["parts"] for case in part["cases"]):
            raise UserError(
                f"{path} holds a hidden case: run `make build` with --force, and do not publish before this is gone"
            )
    return dict(sorted((files | _from_templates()).items()))


def _sources(folder: str) -> list[Path]:
    """The files of a folder, without what Python and editors leave there."""
    found = (path for path in sorted((ROOT / folder).rglob("*")) if path.is_file())
    return [
        path
        for path in found
        if not any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
    ]


def _is_unfinished(path: Path) -> bool:
    """Whether it is the key or the probe of a notebook that is not published yet."""
    unfinished = [slug for slug in SLUGS if slug not in FINISHED]
    return any(
        part == slug or part.startswith(f"n{slug}") for part in path.relative_to(ROOT).parts for slug in unfinished
    )


def _with_address(source: bytes) -> bytes:
    """dlcourse/data.py with the repository's address, from which the helper downloads the bundled data."""
    address = f'DATA_URL = "https://raw.githubusercontent.com/{REPOSITORY}/{BRANCH}/data/"'
    text, found = re.subn(r'^DATA_URL = "[^"\n]*"', address, source.decode(), flags=re.MULTILINE)
    if found != 1:
        raise UserError(
            "dlcourse/data.py has no line DATA_URL = ...: the release cannot tell it where the data are published"
        )
    return text.encode()


def _from_templates() -> dict[str, bytes]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    values = {
        "notebooks": "\n".join(f"| {slug.replace('_', ' ')} | {_badge(slug)} |" for slug in written_slugs()),
        "repository": REPOSITORY, "folder": REPOSITORY.split("/")[-1],
        "name": project["name"], "version": project["version"], "description": project["description"], "python": project["requires-python"],
        "dependencies": json.dumps(project["dependencies"]),
        "full_data": json.dumps(project["optional-dependencies"]["full-data"]),
    }  # fmt: skip
    filled = ("README.md", "pyproject.toml")
    texts = {name: (TEMPLATES / f"{Path(name).stem.lstrip('.')}.template").read_text() for name in FROM_TEMPLATES}
    return {name: (text.format_map(values) if name in filled else text).encode() for name, text in texts.items()}


def _badge(slug: str) -> str:
    url = f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/notebooks/{slug}.ipynb"
    return f"[![Open {slug} in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({url})"


def _refuse_bad_places(dest: Path, instructor: Path | None) -> None:
    there = dest.resolve()
    if there.is_relative_to(ROOT) and not there.is_relative_to(BUILD) or ROOT.is_relative_to(there):
        raise UserError(
            f"{dest} is this repository, which holds the solutions: choose a folder beside it, such as ../student-repo"
        )
    if instructor and (instructor.resolve().is_relative_to(there) or there.is_relative_to(instructor.resolve())):
        raise UserError(
            f"{instructor} will hold hidden cases and must not lie together with {dest}: choose another --instructor"
        )
    if dest.exists() and not dest.is_dir():
        raise UserError(f"{dest} is a file: choose a folder")


def _earlier_release(dest: Path) -> dict[str, str]:
    """What an earlier release wrote to DEST: name -> hash; nothing if it is empty or a bare `git init`.

    Raises:
        UserError: DEST holds something that no release wrote.
    """
    if (dest / RECORD).is_file():
        try:
            record = json.loads((dest / RECORD).read_text())
            names = [PurePosixPath(name) for name in record]
        except (OSError, ValueError, TypeError):
            raise UserError(f"{dest / RECORD} is damaged: take it back from git, or choose an empty folder") from None
        if not isinstance(record, dict) or any(name.is_absolute() or ".." in name.parts for name in names):
            raise UserError(f"{dest / RECORD} is damaged: take it back from git, or choose an empty folder")
        return record
    if dest.is_dir() and any(path.name != ".git" for path in dest.iterdir()):
        raise UserError(
            f"{dest} is neither empty nor an earlier release: choose another folder; nothing in it was changed"
        )
    return {}


def _refuse_others_changes(dest: Path, files: dict[str, bytes], before: dict[str, str]) -> None:
    """Nothing that somebody else wrote is overwritten."""
    changed = []
    for name, content in files.items():
        path = dest / name
        if _behind_a_link(path, dest):
            raise UserError(
                f"{path} is or lies behind a link to another place: remove the link, and run the same command again"
            )
        if path.is_dir():
            changed.append(name)
        elif path.exists():
            there = path.read_bytes()
            if there != content and hashlib.sha256(there).hexdigest() != before.get(name):
                changed.append(name)
    if changed:
        some = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        raise UserError(
            f"in {dest} somebody changed {some} since the last release: make the change in this repository, "
            "delete those files there, and run the same command again; nothing was changed"
        )


def _behind_a_link(path: Path, dest: Path) -> bool:
    return any(place.is_symlink() for place in (path, *path.parents) if place.is_relative_to(dest) and place != dest)


def _write(path: Path, content: bytes) -> bool:
    """Write a file as a whole, unless it is there already; whether it was written."""
    if path.is_file() and path.read_bytes() == content:
        return False
    write_whole(path, content)
    return True


def _remove(dest: Path, old: dict[str, str]) -> tuple[list[str], list[str]]:
    """Remove what an earlier release wrote and this one has not, if nobody changed it; (removed, kept)."""
    removed, kept = [], []
    for name, known in old.items():
        path = dest / name
        if not path.is_file() or _behind_a_link(path, dest):
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() != known:
            kept.append(name)
            continue
        path.unlink()
        removed.append(name)
        for folder in path.parents:
            if folder == dest or any(folder.iterdir()):
                break
            folder.rmdir()
    return removed, kept


def write_instructors_files(folder: Path, progress=None, slugs: list[str] | None = None) -> None:
    """Write FOLDER/nbgrader, a course folder with the full keys, and FOLDER/gradescope/<notebook>.zip."""
    from autograder.doors.nbgrader import write_course
    from autograder.doors.otter import write_assignment
    from autograder.paths import FULL_KEYS

    slugs = slugs or written_slugs()
    try:
        shutil.copytree(write_course(slugs) / "source", folder / "nbgrader" / "source", dirs_exist_ok=True)
        shutil.copy(BUILD / "nbgrader" / "nbgrader_config.py", folder / "nbgrader")
        for slug in slugs:
            shutil.copytree(FULL_KEYS / slug, folder / "nbgrader" / "keys" / slug, dirs_exist_ok=True)
            (folder / "gradescope").mkdir(parents=True, exist_ok=True)
            shutil.copy(write_assignment(slug) / "autograder.zip", folder / "gradescope" / f"{slug}.zip")
            if progress:
                progress(f"{folder / 'gradescope' / f'{slug}.zip'}")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from None
