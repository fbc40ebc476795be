"""The files of a folder of downloads, those in zips included, copied to numbered files: no name from a zip is ever used as a path.

A zip is opened with limits, and a zip inside of it once more. What is refused is told with its reason.
"""

import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

MB = 1_000_000
LIMITS = {
    ".ipynb": 50 * MB,
    ".pt": 50 * MB,
    ".yml": 100 * MB,
    ".zip": 200 * MB,
}  # what is read, and how large it may be
CHECKPOINT = ".pt"
MOST_MEMBERS = 20_000  # files in one zip
MOST_BYTES = 200 * MB  # taken out of one zip, and besides ...
MOST_TIMES = 20  # ... so many times what the zip itself is large
RATIO = 200  # how many times smaller than its content a file in a zip may be ...
RATIO_FROM = 10 * MB  # ... once the content is larger than this
CHUNK = 1 << 20
NOISE = {"__MACOSX", ".ipynb_checkpoints", ".DS_Store", "Thumbs.db"}
OTHER_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


@dataclass(frozen=True)
class Found:
    """A file to look at: the names that lead to it, outermost first, its content's copy, and when it was changed (seconds)."""

    where: tuple[str, ...]
    path: Path
    changed: float

    @property
    def source(self) -> str:
        """How a person finds it again."""
        return readable(self.where)


@dataclass(frozen=True)
class Refused:
    """A file that was not taken, and why."""

    source: str
    why: str


def readable(where: tuple[str, ...]) -> str:
    """Names as text that can be printed and written; students may choose any characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in "/".join(where))


class TooLarge(Exception):
    """A file in a zip is larger than a limit; the message says which."""


def walk(downloads: Path, workshop: Path) -> Iterator[Found | Refused]:
    """All files below a folder that may matter: notebooks, checkpoints, Gradescope's list.

    Args:
        downloads: a folder of downloads, or one zip.
        workshop: an existing folder for the copies of what is taken out of zips.
    """
    paths = [downloads] if downloads.is_file() else sorted(downloads.rglob("*"))
    for path in paths:
        where = path.relative_to(downloads).parts if path != downloads else (path.name,)
        if _noise(where):
            continue
        if path.is_symlink():
            yield Refused(readable(where), "is a link to another place")
        elif path.is_file():
            yield from _look(Found(where, path, path.stat().st_mtime), workshop, depth=0)


def _look(found: Found, workshop: Path, depth: int) -> Iterator[Found | Refused]:
    """A file as it is, or what is in it."""
    suffix = PurePosixPath(found.where[-1]).suffix.lower()
    if suffix in OTHER_ARCHIVES:
        yield Refused(found.source, "an archive of a kind that is not opened: only zip is")
    elif suffix not in LIMITS:
        yield Refused(found.source, "neither a notebook nor a checkpoint (.pt)")
    elif found.path.stat().st_size > LIMITS[suffix] and (suffix != ".zip" or depth):
        yield Refused(found.source, f"larger than {LIMITS[suffix] // MB} MB")
    elif suffix != ".zip":
        yield found
    elif depth > 1:
        yield Refused(found.source, "a zip in a zip in a zip is not opened")
    else:
        yield from _open(found, workshop, depth)


def _open(archive: Found, workshop: Path, depth: int) -> Iterator[Found | Refused]:
    """What a zip holds."""
    try:
        with zipfile.ZipFile(archive.path) as file:
            members = [member for member in file.infolist() if not member.filename.endswith("/")]
            if len(members) > MOST_MEMBERS:
                yield Refused(archive.source, f"holds more than {MOST_MEMBERS:,} files")
                return
            left = MOST_BYTES + MOST_TIMES * archive.path.stat().st_size
            for member in members:
                where = PurePosixPath(member.filename.replace("\\", "/"))
                if _noise(where.parts):
                    continue
                source = readable((*archive.where, str(where)))
                if why := _why_not(member, where):
                    yield Refused(source, why)
                    continue
                suffix = where.suffix.lower()
                if suffix not in LIMITS:
                    yield from _look(Found((*archive.where, *where.parts), archive.path, 0), workshop, depth + 1)
                    continue
                handle, name = tempfile.mkstemp(suffix, dir=workshop)
                os.close(handle)
                copy = Path(name)
                try:
                    left -= _copy(file, member, copy, min(left, LIMITS[suffix]))
                except TooLarge as error:
                    copy.unlink(missing_ok=True)
                    yield Refused(source, str(error))
                    continue
                yield from _look(Found((*archive.where, *where.parts), copy, _time(member)), workshop, depth + 1)
                if suffix == ".zip":
                    copy.unlink(missing_ok=True)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        yield Refused(archive.source, f"is no zip that can be read ({error or type(error).__name__})")


def _why_not(member: zipfile.ZipInfo, where: PurePosixPath) -> str:
    """Why a member is not taken; empty if it is."""
    if not where.parts:
        return "has no name"
    if where.is_absolute() or ".." in where.parts or where.parts[0].endswith(":"):
        return "its name leads out of the zip"
    if member.external_attr >> 16 & 0o170000 == 0o120000:
        return "is a link to another place"
    if member.flag_bits & 1:
        return "is locked with a password"
    return ""


def _copy(file: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, limit: int) -> int:
    """Copy a member, counting what really comes out and not what the zip says of itself; the number of bytes."""
    if member.file_size > limit:
        raise TooLarge(f"larger than {limit / MB:.0f} MB, or than what is left of the limit for the whole zip")
    written = 0
    with file.open(member) as source, open(to, "wb") as out:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > limit:
                raise TooLarge("larger than it says of itself")
            if written > RATIO_FROM and written > RATIO * max(member.compress_size, 1):
                raise TooLarge(f"more than {RATIO} times larger than in the zip: it looks like a zip bomb")
            out.write(chunk)
    return written


def _time(member: zipfile.ZipInfo) -> float:
    try:
        return datetime(*member.date_time).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _noise(parts: tuple[str, ...]) -> bool:
    return any(part in NOISE or part.startswith("._") for part in parts)


def place(source: Path, target: Path, changed: float) -> None:
    """Put a copy in its place so that it is there as a whole or not at all, with the time it was changed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(source, draft)
        os.utime(draft, (changed, changed))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
