"""The answer key of an exercise: its cases, what the reference answer gives, and what known mistakes give instead.

A key is one file in the wire format, `<folder>/<notebook>/<exercise>.key`:

    id, notebook, kind, points, seconds     of the exercise
    made_from                               hash of all that it was recorded from
    misconceptions                          list of {id, says}, one for each recorded variant
    parts                                   list of {name, probe, share, tolerance, advice, explanation, cases}
    cases                                   list of {label, hidden, inputs, secret, expected, wrong: {index of a variant: its wrong fields}}

Students have the public keys, which lie in this package and hold no hidden case; instructors have the full ones.
"""

import functools
import os
from pathlib import Path

from dlcourse.checks.wire import WireError, decode

PUBLIC = Path(__file__).parent / "keys"


class KeyMissing(LookupError):
    """There is no key for an exercise."""


def keys_folder() -> Path:
    """Where `check` looks: `DLCOURSE_KEYS`, which instructors set to the full keys, else the public ones."""
    return Path(os.environ.get("DLCOURSE_KEYS") or PUBLIC)


def find_key(exercise: str, folder: Path | None = None) -> dict:
    """The key of an exercise such as "adam".

    Raises:
        KeyMissing: there is none in the folder, or it cannot be read.
    """
    folder = folder or keys_folder()
    paths = sorted(folder.glob(f"*/{exercise}.key")) if exercise.isidentifier() else []
    if not paths:
        raise KeyMissing(
            f'there is no exercise "{exercise}": the ids are {", ".join(exercise_ids(folder)) or "missing"}'
        )
    return read_key(paths[0])


def read_key(path: Path) -> dict:
    """The key in a file; read once for each version of the file.

    Raises:
        KeyMissing: the file cannot be read, or is no key.
    """
    try:
        return _read(str(path), path.stat().st_mtime_ns)
    except (OSError, WireError) as error:
        raise KeyMissing(f"{path} cannot be read ({error}): build the keys again with `make build`") from None


@functools.lru_cache(maxsize=256)
def _read(path: str, modified: int) -> dict:
    return decode(Path(path).read_bytes())


def exercise_ids(folder: Path) -> list[str]:
    """The ids of all exercises that have a key in the folder."""
    return [path.stem for path in sorted(folder.glob("*/*.key"))]
