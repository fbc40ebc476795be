"""Pairs of submissions that share more code than the course gave them, as a page that shows the passages side by side.

Compared are answer cells and cells that the student added. What the starter, the demonstrations and the reference answers hold does not
count, and neither does a passage that many of the class have, as that is how one writes it. copydetect finds the rest: the fingerprints of
"Winnowing: Local Algorithms for Document Fingerprinting" (Schleimer, Wilkerson and Aiken 2003), which MOSS uses, twice for each pair:

structure   names and strings are taken out, so that renaming changes nothing
wording     the text itself, without indentation: names, comments and order alike
"""

import itertools
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
from copydetect.utils import filter_code, winnow

from autograder.build.master import reference_code
from autograder.build.write import load
from autograder.grading.batch import Submission, find_submissions
from autograder.paths import NOTEBOOKS, UserError

COMMON = 10  # a passage that more students have is common knowledge; MOSS takes the same number
LEAST = 0.3  # share of the shorter one's own code from which a pair is shown
LONGEST = 200_000  # characters of code that are read of one submission


@dataclass(frozen=True)
class Look:
    """One way to compare; lengths are in characters of the text that is left when `structure` or `wording` has been filtered."""

    name: str
    length: int  # a passage has to be so long
    window: int  # of so many fingerprints in a row at least one is kept
    least: int  # a pair has to share so much to be shown; three times as much is shown whatever its share is


LOOKS = (Look("structure", 40, 8, 160), Look("wording", 60, 12, 240))


@dataclass
class Prints:
    """A cell by one look: fingerprints with their places, the real place of each filtered character, and which of them are its own."""

    places: dict[int, list[int]]
    origin: np.ndarray
    own: np.ndarray


@dataclass
class Work:
    """A submission as it is compared: the code of its cells, and their fingerprints by look and cell."""

    submission: Submission
    cells: dict[str, str]
    prints: dict[str, dict[str, Prints]] = field(default_factory=dict)
    hashes: dict[str, set[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Passage:
    """A cell of one of two submissions: its lines, each with whether it is shared."""

    cell: str
    lines: list[tuple[str, bool]]


@dataclass(frozen=True)
class Pair:
    """Two submissions of one notebook: what share of the shorter one's own code both have, by the look that says more."""

    slug: str
    left: str
    right: str
    share: float
    shared: int
    look: str
    passages: list[tuple[Passage | None, Passage | None]]


def similar_pairs(folder: Path, least: float = LEAST, progress=None) -> tuple[list[Pair], int]:
    """All pairs of submissions that share at least `least` of the shorter one's own code, most alike first; and how many were compared.

    Args:
        folder: SUBMISSIONS, as `grade` takes it.
        least: from 0 to 1.
        progress: called with (done, all) after each notebook.

    Raises:
        UserError: see `find_submissions`.
    """
    if not 0 < least <= 1:
        raise UserError(f"--least is a share between 0 and 1, not {least}")
    by_slug = defaultdict(list)
    for submission in find_submissions(folder):
        by_slug[submission.slug].append(submission)
    pairs, compared = [], 0
    for done, (slug, submissions) in enumerate(sorted(by_slug.items()), 1):
        given = _given(slug)
        works = [work for submission in submissions if (work := _read(submission, given))]
        for look in LOOKS:
            _fingerprint(works, look, given)
        compared += len(works) * (len(works) - 1) // 2
        pairs += [
            pair
            for left, right in itertools.combinations(works, 2)
            if (pair := _compare(left, right, least)) is not None
        ]
        if progress:
            progress(done, len(by_slug))
    return sorted(pairs, key=lambda pair: (-pair.share, -pair.shared, pair.slug, pair.left, pair.right)), compared


def _given(slug: str) -> dict[str, str]:
    """What the course gives: the code of the student notebook by cell id, and the reference answers."""
    master, exercises = load(slug)
    notebook = json.loads((NOTEBOOKS / f"{slug}.ipynb").read_text())
    cells = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"}
    asked = [exercise.id for exercise in exercises if exercise.kind != "written"]
    return cells | {f"answer {name}": reference_code(master.answer(name)) for name in asked}


def _read(submission: Submission, given: dict[str, str]) -> Work | None:
    """A submission's own code; nothing if it cannot be read or has none."""
    try:
        cells = json.loads(submission.path.read_bytes())["cells"]
        code = [(_name(cell), _source(cell)) for cell in cells if cell.get("cell_type") == "code"]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    known = {_squeeze(source) for source in given.values()}
    work = Work(submission, {})
    for number, (name, source) in enumerate(code, 1):
        if not source.strip() or _squeeze(source) in known:
            continue
        title = name if name in given else f"cell {number}"
        work.cells[title if title not in work.cells else f"{title}, again in cell {number}"] = source[:LONGEST]
        if sum(map(len, work.cells.values())) >= LONGEST:
            break
    return work if work.cells else None


def _name(cell: dict) -> str:
    meta = cell.get("metadata") or {}
    name = (meta.get("nbgrader") or {}).get("grade_id") or cell.get("id")
    return name if isinstance(name, str) else ""


def _source(cell: dict) -> str:
    source = cell.get("source")
    text = source if isinstance(source, str) else "".join(line for line in source or () if isinstance(line, str))
    return text.encode("utf-8", "replace").decode().replace("\r", "")


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _fingerprint(works: list[Work], look: Look, given: dict[str, str]) -> None:
    """Fingerprint all submissions of a notebook: without what is given, and without what many have."""
    texts = [_filtered(text, look)[0] for text in given.values()]
    known = {value for text in texts for value in _hashes(text, look.length).tolist()}
    shorter = {value for text in texts for value in _hashes(text, look.length // 2).tolist()}
    for work in works:
        work.prints[look.name] = {cell: _prints(text, look, known, shorter) for cell, text in work.cells.items()}
        work.hashes[look.name] = {value for prints in work.prints[look.name].values() for value in prints.places}
    having = Counter(value for work in works for value in work.hashes[look.name])
    common = {value for value, count in having.items() if count > COMMON}
    for work in works:
        work.hashes[look.name] -= common
        for prints in work.prints[look.name].values():
            for value in common & prints.places.keys():
                _cover(prints.own, prints.places.pop(value), look.length, False)


def _prints(text: str, look: Look, known: set[int], shorter: set[int]) -> Prints:
    """The fingerprints of a cell. Its own is what no given passage of half the length covers."""
    text, origin = _filtered(text, look)
    own = np.ones(len(text), bool)
    given = (place for place, value in enumerate(_hashes(text, look.length // 2).tolist()) if value in shorter)
    _cover(own, given, look.length // 2, False)
    hashes = _hashes(text, look.length)
    places: dict[int, list[int]] = defaultdict(list)
    if len(hashes):
        chosen, where = winnow(hashes, min(look.window, len(hashes)), remove_duplicates=False)
        for value, place in zip(chosen.tolist(), where.tolist()):
            if value not in known:
                places[value].append(place)
    return Prints(dict(places), origin, own)


def _hashes(text: str, length: int) -> np.ndarray:
    """A number for each passage of `length` characters, the same in every run (Python's own `hash` is not)."""
    code = text.encode("utf-32-le")
    passages = (code[start : start + 4 * length] for start in range(0, len(code) - 4 * length + 1, 4))
    return np.array(
        [int.from_bytes(blake2b(passage, digest_size=8).digest(), "little", signed=True) for passage in passages],
        np.int64,
    )


def _cover(mask: np.ndarray, places, length: int, value: bool) -> None:
    for place in places:
        mask[place : place + length] = value


def _filtered(text: str, look: Look) -> tuple[str, np.ndarray]:
    """The text as a look sees it, and the place of each of its characters in the text itself."""
    if look.name == "wording":
        kept = [place for place, letter in enumerate(text) if not letter.isspace()]
        return "".join(text[place] for place in kept), np.array(kept, int)
    filtered, offsets = filter_code(text, "cell.py")
    places = np.arange(len(filtered))
    rows = np.clip(np.searchsorted(offsets[:, 0], places), 0, len(offsets) - 1)
    return filtered, places + offsets[rows, 1]


def _compare(left: Work, right: Work, least: float) -> Pair | None:
    """What two submissions share, if it is enough to be shown."""
    best = None
    for look in LOOKS:
        both = left.hashes[look.name] & right.hashes[look.name]
        if not both:
            continue
        shared = min(sum(int(mask.sum()) for mask in _shared(work, look, both).values()) for work in (left, right))
        own = min(sum(int(prints.own.sum()) for prints in work.prints[look.name].values()) for work in (left, right))
        share = min(1.0, shared / own) if own else 0.0
        enough = shared >= look.least and share >= least or shared >= 3 * look.least
        if enough and (best is None or share > best[0]):
            best = share, shared, look.name
    if best is None:
        return None
    passages = _side_by_side(_marked(left, right), _marked(right, left))
    return Pair(left.submission.slug, left.submission.student, right.submission.student, *best, passages)


def _shared(work: Work, look: Look, both: set[int]) -> dict[str, np.ndarray]:
    """Which of the filtered characters of each cell are its own, and shared."""
    masks = {}
    for cell, prints in work.prints[look.name].items():
        mask = np.zeros(len(prints.own), bool)
        for value in both & prints.places.keys():
            _cover(mask, prints.places[value], look.length, True)
        masks[cell] = mask & prints.own
    return masks


def _marked(work: Work, other: Work) -> dict[str, Passage]:
    """The cells of a submission that hold something shared, by either look, line by line."""
    marks = {cell: np.zeros(len(text) + 1, bool) for cell, text in work.cells.items()}
    for look in LOOKS:
        both = work.hashes[look.name] & other.hashes[look.name]
        for cell, mask in _shared(work, look, both).items():
            marks[cell][np.minimum(work.prints[look.name][cell].origin[mask], len(work.cells[cell]))] = True
    passages = {}
    for cell, text in work.cells.items():
        lines, start = [], 0
        for line in text.split("\n"):
            lines.append((line, bool(marks[cell][start : start + len(line)].any())))
            start += len(line) + 1
        if any(shared for _, shared in lines):
            passages[cell] = Passage(cell, lines)
    return passages


def _side_by_side(left: dict[str, Passage], right: dict[str, Passage]) -> list[tuple[Passage | None, Passage | None]]:
    """Cells of the same name in one row."""
    return [(left.get(cell), right.get(cell)) for cell in dict.fromkeys([*left, *right])]
