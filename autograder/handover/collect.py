"""Downloads from a learning platform to the layout that grading takes: SUBMISSIONS/<student>/<notebook>/<notebook>.ipynb.

The newest version of a student's notebook is taken. What was not taken, and why, is told; nothing is guessed, and nothing that is in
place already is replaced by something older or by something that cannot be compared with it. Two files in SUBMISSIONS keep the account:

collected.json   where each file in place came from: what the next run compares with
collected.csv    every file of the last run, and what became of it
"""

import csv
import functools
import hashlib
import io
import json
import re
import tempfile
from collections import defaultdict
from dataclasses import astuple, dataclass, field
from pathlib import Path

from autograder.build.master import read_master
from autograder.grading.results import write_whole
from autograder.handover.marks import harmless
from autograder.handover.names import Contradiction, Handed, gradescope_people, handed_in, notebook_name
from autograder.handover.unpack import CHECKPOINT, Found, Refused, place, walk
from autograder.paths import UserError, written_slugs

PROJECT = "09_final_project"
CHECKPOINT_NAME = "checkpoint.pt"
LEDGER = "collected.json"
ACCOUNT = "collected.csv"
OUTCOMES = ("new", "updated", "unchanged", "older", "kept", "not placed")
CLOSE = 60  # files of one folder whose times are closer (seconds) were given them by whoever packed the folder
NEED_HALF = 0.5  # a file whose name says nothing is a notebook's if it has at least so many of its answer cells


@dataclass(frozen=True)
class Version:
    """One file of one student's, for one place."""

    student: str
    slug: str
    name: str  # in the student's folder
    handed: Handed
    copy: int  # the number behind the name, as in "06_attention (2).ipynb"
    found: Found
    digest: str

    @property
    def order(self) -> tuple[float, float]:
        """Larger for what is newer: the platform's own numbers, then the time."""
        return self.handed.order, self.found.changed


@dataclass
class Outcome:
    """What became of one file."""

    source: str
    student: str
    file: str
    what: str
    why: str = ""


@dataclass
class Collected:
    """What a run did."""

    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Outcome]:
        """The outcomes of these kinds."""
        return [outcome for outcome in self.outcomes if outcome.what in kinds]


def collect(downloads: Path, out: Path, pattern: str | None = None) -> Collected:
    """Bring all notebooks of a folder of downloads (or of one zip) into the grading layout.

    Args:
        downloads: what was downloaded, as it is: zips may be unpacked or not, several platforms and dates may lie side by side.
        out: the folder SUBMISSIONS; what is in it stays.
        pattern: for other names than those in `names`: an expression with the groups student_id and perhaps timestamp and file_id.

    Raises:
        UserError: no such folder, nothing in it, a bad pattern, or `out` cannot be written.
    """
    expression = _expression(pattern)
    if not downloads.exists():
        raise UserError(f"there is no folder {downloads}; it should hold what you downloaded, such as submissions.zip")
    if downloads.is_dir() and out.resolve().is_relative_to(downloads.resolve()):
        raise UserError(
            f"{out} lies inside of {downloads}: choose a folder outside, so that it is not collected itself"
        )
    result = Collected()
    try:
        out.mkdir(parents=True, exist_ok=True)
        ledger = _read_ledger(out / LEDGER)
        with tempfile.TemporaryDirectory(dir=out, prefix=".collecting-") as workshop:
            found = _sort_out(walk(downloads, Path(workshop)), result)
            if not found and not result.outcomes:
                raise UserError(f"there is no file in {downloads}")
            for versions in _versions(found, expression, ledger, result).values():
                _settle(versions, out, ledger, result)
        write_whole(out / LEDGER, json.dumps(ledger, indent=1, sort_keys=True))
        write_whole(out / ACCOUNT, _account(result))
    except OSError as error:
        raise UserError(
            f"{error.filename or out}: {error.strerror}; once that is mended, run the same command again"
        ) from None
    return result


def _expression(pattern: str | None) -> re.Pattern | None:
    if pattern is None:
        return None
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f"the pattern {pattern} is no regular expression: {error}") from None
    if "student_id" not in expression.groupindex:
        raise UserError(
            "the pattern needs a group (?P<student_id>...), and may have (?P<timestamp>...) and (?P<file_id>...)"
        )
    return expression


def _read_ledger(path: Path) -> dict:
    try:
        ledger = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UserError(
            f"{path} is damaged: restore it, or delete it, and what is in place now will stay as it is"
        ) from None
    return ledger if isinstance(ledger, dict) else {}


def _sort_out(files, result: Collected) -> list[Found]:
    """The files to place; what was refused goes into the result."""
    found = []
    for file in files:
        if isinstance(file, Refused):
            result.outcomes.append(Outcome(file.source, "", "", "not placed", file.why))
        else:
            found.append(file)
    return found


def _versions(
    found: list[Found], pattern: re.Pattern | None, ledger: dict, result: Collected
) -> dict[tuple, list[Version]]:
    """All versions for each place."""
    people = {
        file.where[:-1]: gradescope_people(file.path.read_bytes())
        for file in found
        if file.where[-1] == "submission_metadata.yml"
    }
    places = defaultdict(list)
    for file in found:
        if file.path.suffix.lower() == ".yml":
            if not people.get(file.where[:-1]):
                result.outcomes.append(
                    Outcome(file.source, "", "", "not placed", "no list of submitters that can be read")
                )
            continue
        mine = next((names for folder, names in people.items() if file.where[: len(folder)] == folder), {})
        try:
            handed = handed_in(file.where, mine, pattern)
            if handed is None:
                raise Contradiction("nothing in its name says whose it is")
            for version in _as_versions(file, handed):
                places[version.student, version.slug, version.name].append(version)
        except Contradiction as error:
            result.outcomes.append(Outcome(file.source, "", "", "not placed", str(error)))
    projects = [
        version for (_, _, name), versions in places.items() if name == f"{PROJECT}.ipynb" for version in versions
    ]
    for place_, versions in list(places.items()):
        if place_[2] == CHECKPOINT_NAME:
            places[place_] = [version for version in versions if _belongs(version, projects, ledger, result)]
    return {place_: versions for place_, versions in sorted(places.items()) if versions}


def _belongs(checkpoint: Version, projects: list[Version], ledger: dict, result: Collected) -> bool:
    """Whether a checkpoint was handed in with the final project (or to one that is in place), and not with another notebook."""
    folder = checkpoint.found.where[:-1]
    beside = (project.found.where[:-1] for project in projects if project.student == checkpoint.student)
    if any(folder[: len(other)] == other[: len(folder)] for other in beside):
        return True
    if f"{checkpoint.student}/{PROJECT}/{PROJECT}.ipynb" in ledger:
        return True
    result.outcomes.append(
        Outcome(
            checkpoint.found.source, checkpoint.student, "", "not placed", f"no {PROJECT}.ipynb was handed in beside it"
        )
    )
    return False


def _as_versions(file: Found, handed: Handed) -> list[Version]:
    """The file as a version of each of those who handed it in together.

    Raises:
        Contradiction: it cannot be told which notebook it is.
    """
    given = handed.file or file.where[-1]
    content = file.path.read_bytes()
    if file.where[-1].lower().endswith(CHECKPOINT):
        slug, name, copy = PROJECT, CHECKPOINT_NAME, notebook_name(given.lower().replace(CHECKPOINT, ""))[1]
        if not given.lower().startswith("checkpoint"):
            raise Contradiction(f"a checkpoint is named {CHECKPOINT_NAME}")
    else:
        slug, copy = notebook_name(given)
        slug = _which_notebook(slug, content)
        name = f"{slug}.ipynb"
    digest = hashlib.sha256(content).hexdigest()
    return [Version(student, slug, name, handed, copy, file, digest) for student in handed.students]


def _which_notebook(named: str, content: bytes) -> str:
    """The notebook by its name and by its answer cells.

    Raises:
        Contradiction: neither tells, or they disagree.
    """
    inside = _by_cells(content)
    if named and inside and named != inside:
        raise Contradiction(f"named like {named}, but its answer cells are those of {inside}")
    if not (named or inside):
        raise Contradiction("neither its name nor its cells are those of a notebook of the course")
    return named or inside


def _by_cells(content: bytes) -> str:
    """The notebook whose answer cells these are; empty if that is not plain."""
    try:
        ids = {name for cell in json.loads(content)["cells"] for name in _ids(cell)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""
    shares = {slug: len(ids & answers) / len(answers) for slug, answers in _answer_cells().items()}
    best = max(shares, key=shares.get, default="")
    return best if best and shares[best] >= NEED_HALF else ""


def _ids(cell: dict) -> list[str]:
    """What a cell may be called: its id, nbgrader's, and where Colab keeps an id."""
    meta = cell.get("metadata") or {}
    names = cell.get("id"), meta.get("id"), (meta.get("nbgrader") or {}).get("grade_id")
    return [name for name in names if isinstance(name, str)]


@functools.cache
def _answer_cells() -> dict[str, set[str]]:
    return {slug: set(read_master(slug).exercises()) for slug in written_slugs()}


def _settle(versions: list[Version], out: Path, ledger: dict, result: Collected) -> None:
    """Choose one of the versions for a place, and put it there unless something as new is there already."""
    first = versions[0]
    where = f"{first.student}/{first.slug}/{first.name}"

    def tell(version: Version, what: str, why: str = "") -> None:
        result.outcomes.append(Outcome(version.found.source, version.student, where, what, why))

    if why := _two_people(versions):
        for version in versions:
            tell(version, "not placed", why)
        return
    newest = _newest(versions)
    if newest is None:
        for version in versions:
            tell(version, "not placed", "several different versions, and nothing says which is the newest")
        return
    for version in versions:
        if version is not newest:
            same = version.digest == newest.digest
            tell(version, "older", f"{'the same as' if same else 'older than'} {newest.found.source}")
    target = out / where
    what, why = _beside(newest, target, ledger.get(where))
    tell(newest, what, why)
    if what in ("new", "updated"):
        place(newest.found.path, target, newest.found.changed)
    if what != "kept":
        ledger[where] = {
            "source": newest.found.source, "platform": newest.handed.platform, "person": newest.handed.person,
            "order": newest.order, "sha256": newest.digest,
        }  # fmt: skip


def _newest(versions: list[Version]) -> Version | None:
    """The newest one; nothing if two that differ may both be it.

    In one folder (one submission, if the platform does not number them) a copy's number counts before the time; between folders the time.
    """
    folders = defaultdict(list)
    for version in versions:
        folders[version.handed.order, version.found.where[:-1]].append(version)
    best = []
    for group in folders.values():
        group.sort(key=lambda version: (version.copy, version.found.changed))
        last = group[-1]
        for other in group[:-1]:
            close = last.found.changed - other.found.changed < CLOSE
            if other.digest != last.digest and other.copy == last.copy and close:
                return None
        best.append(last)
    best.sort(key=lambda version: version.order)
    last = best[-1]
    differ = [version for version in best if version.digest != last.digest]
    if any(version.order == last.order or version.handed.platform != last.handed.platform for version in differ):
        return None
    return last


def _two_people(versions: list[Version]) -> str:
    """Whether two people of one name handed this in; Moodle numbers them anew for each assignment, so two numbers are two people."""
    people = {version.handed.person for version in versions} - {""}
    if len(people) < 2:
        return ""
    return f"two people are called {versions[0].student} ({', '.join(sorted(people))}): rename one of their folders"


def _beside(newest: Version, target: Path, known: dict | None) -> tuple[str, str]:
    """What to do about a version, by what is in its place: (outcome, why)."""
    if target.is_symlink() or target.parent.is_symlink() or target.parent.parent.is_symlink():
        return "kept", f"{target} is a link to another place, and stays as it is"
    if not target.exists():
        return "new", ""
    there = hashlib.sha256(target.read_bytes()).hexdigest()
    if there == newest.digest:
        return "unchanged", ""
    if not known or known.get("sha256") != there:
        return "kept", f"{target} was put there or changed by somebody else, and stays as it is"
    if known.get("platform") != newest.handed.platform:
        return "kept", f"what is there came from {known.get('platform')}, and nothing says which is newer"
    if known.get("person") != newest.handed.person:
        return "kept", f"what is there came from {known.get('source')}: two people may have the same name"
    if tuple(known.get("order", ())) >= newest.order:
        return "kept", f"what is there is newer: {known.get('source')}"
    return "updated", f"newer than what was there: {known.get('source')}"


def _account(result: Collected) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source", "student", "file", "what", "why"])
    writer.writerows(map(harmless, astuple(outcome)) for outcome in result.outcomes)
    return text.getvalue()
