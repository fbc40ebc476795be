"""Results on disk: one file for each submission, written as a whole; and the lock that keeps two runs out of one folder."""

import contextlib
import fcntl
import json
import os
import threading
from pathlib import Path

from autograder.paths import UserError


def result_path(out: Path, student: str, slug: str) -> Path:
    """Where the result of a submission is kept."""
    return out / "results" / student / f"{slug}.json"


def read_result(path: Path) -> dict | None:
    """A result that was kept; None if there is none, or not a whole one."""
    try:
        result = json.loads(path.read_text())
        return result if isinstance(result, dict) and {"submission", "exercises"} <= set(result) else None
    except (OSError, ValueError):
        return None


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there as a whole or not at all, wherever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(draft, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def sole_run(out: Path):
    """Hold a folder for one run; the system gives it free when the process ends, however that happens.

    Raises:
        UserError: another run holds it, or it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = open(out / ".lock", "a")
    except OSError as error:
        raise UserError(f"cannot write results to {out}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another run is grading into {out}: wait for it, or name another --out") from None
        yield
