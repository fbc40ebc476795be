"""Who handed a file in, and when, from the names that learning platforms give to downloads.

Canvas      doejane_LATE_12345_67890_06_attention-1.ipynb: sortable name, user's id, the upload's id, the student's own file name
            (lib/content_zipper.rb of Canvas); anonymous: anon_Ab1cD_67890_...
Moodle      "Jane Doe_123456_assignsubmission_file_/06_attention.ipynb" or, without folders, all in one name (mod/assign of Moodle);
            the number is new for each assignment, so that the name alone is the student
Gradescope  submission_123456/06_attention.ipynb and submission_metadata.yml, which says who that is ("Export submissions")
Blackboard  ps1_bitdiddle_attempt_2016-01-30-15-00-00_problem1.ipynb (the example in nbgrader's zip_collect)
nbgrader    bitdiddle/06_attention/06_attention.ipynb, the layout of its folder `submitted`
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timezone

import yaml

from autograder.paths import SLUGS

CANVAS = re.compile(r"(?P<name>[^\W_](?:\w*?[^\W_])?)_(?:LATE_)?(?P<id>\d+)_(?P<upload>\d+)_(?P<file>.+)")
CANVAS_ANONYMOUS = re.compile(r"(?:LATE_)?anon_(?P<id>\w+?)_(?P<upload>\d+)_(?P<file>.+)")
MOODLE = re.compile(r"(?P<name>[^_].*?)_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)")
MOODLE_ANONYMOUS = re.compile(r"Participant_(?P<id>\d+)_assignsubmission_file_?(?P<file>.*)")
GRADESCOPE = re.compile(r"submission_(?P<id>\d+)")
BLACKBOARD = re.compile(r".+?_(?P<student>\w+)_attempt_(?P<time>[0-9]{4}(?:-[0-9]{2}){5})(?:_(?P<file>.+))?")
COPY = re.compile(
    r"^(?P<stem>.*?)(?:[ _]?\((?P<round>\d{1,3})\)|[-_ ]copy *(?P<word>\d{0,3})|-(?P<dash>\d{1,3}))$", re.IGNORECASE
)


@dataclass(frozen=True)
class Handed:
    """Who handed a file in, by which platform; `order` is larger for what was handed in later, and counts only within one platform."""

    students: tuple[str, ...]
    platform: str
    order: float = 0.0
    file: str = ""
    person: str = ""  # the platform's number, where the student's name alone may mean two people


class Contradiction(ValueError):
    """Two names say different things of who handed a file in; the message says which."""


def folder_name(name: str) -> str:
    """A name that is fit for a folder, and stays readable; empty if nothing is left."""
    name = unicodedata.normalize("NFC", name)
    return re.sub(r"[^\w.@'-]+", "_", name).strip("._-")[:100]


def handed_in(where: tuple[str, ...], people: dict[str, Handed], pattern: re.Pattern | None = None) -> Handed | None:
    """Who handed in the file to which these names lead; the outermost name that tells it counts, as students choose the inner ones.

    Raises:
        Contradiction: a zip's name and a name in it mean different people, and either may be right.

    Args:
        where: names of folders, zips and the file, outermost first.
        people: Gradescope's submissions by folder, see `gradescope_people`.
        pattern: an expression with the groups student_id and perhaps timestamp and file_id, searched for in the whole path (nbgrader's
            `named_regexp`); then no platform's names are looked for.
    """
    if pattern:
        return _by_pattern("/".join(where), pattern)
    for depth, name in enumerate(where):
        last = depth == len(where) - 1
        found = _by_folder(name, people) or (_by_file(name) if last or name.lower().endswith(".zip") else None)
        if not found:
            continue
        if found.platform in ("Canvas", "Blackboard"):  # a zip of the instructor's may be named like that by chance
            others = (_by_folder(inner, people) or _by_file(inner) for inner in where[depth + 1 :])
            if other := next((other for other in others if other and other.students != found.students), None):
                raise Contradiction(f"{name} may be by {found.students[0]}, what is in it by {other.students[0]}")
        return found if last else replace(found, file="")
    return _by_layout(where)


def _by_folder(name: str, people: dict[str, Handed]) -> Handed | None:
    """What a name tells that a platform gives to folders, or to files: nobody else has such names."""
    if match := MOODLE_ANONYMOUS.fullmatch(name):
        return Handed((f"Participant_{match['id']}",), "Moodle", 0, match["file"])
    if match := MOODLE.fullmatch(name):
        student = folder_name(match["name"])
        return Handed((student,), "Moodle", 0, match["file"], match["id"]) if student else None
    if GRADESCOPE.fullmatch(name):
        return people.get(name)
    return None


def _by_file(name: str) -> Handed | None:
    """What a name tells that a platform gives to files."""
    if match := CANVAS_ANONYMOUS.fullmatch(name):
        return Handed((f"anon_{match['id']}",), "Canvas", int(match["upload"]), match["file"])
    if (match := CANVAS.fullmatch(name)) and re.search(r"[^\W\d_]", match["name"]):
        return Handed((f"{match['name']}_{match['id']}",), "Canvas", int(match["upload"]), match["file"])
    if match := BLACKBOARD.fullmatch(name):
        return Handed((match["student"],), "Blackboard", _seconds(match["time"]), match["file"] or "")
    return None


def _by_layout(where: tuple[str, ...]) -> Handed | None:
    """nbgrader's layout: <student>/<notebook>/<file>, anywhere below the downloads."""
    for student, slug, _ in zip(where, where[1:], where[2:]):
        if slug in SLUGS and folder_name(student) == student:
            return Handed((student,), "nbgrader", 0, where[-1])
    return None


def _by_pattern(path: str, pattern: re.Pattern) -> Handed | None:
    match = pattern.search(path)
    groups = match.groupdict() if match else {}
    student = folder_name(groups.get("student_id") or "")
    if not student:
        return None
    return Handed((student,), "pattern", _seconds(groups.get("timestamp") or ""), groups.get("file_id") or "")


def _seconds(text: str) -> float:
    """A time such as 2016-01-30-15-00-00 in seconds; 0 if it is none."""
    numbers = [int(number) for number in re.findall(r"\d+", text)[:6]]
    try:
        return datetime(*numbers, tzinfo=timezone.utc).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0


class _RubyYaml(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Plain data; Ruby's own types, which Gradescope leaves in the file, are read as the plain data that they hold."""


def _plain(loader, suffix, node):
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


_RubyYaml.add_multi_constructor("!ruby/", _plain)


def gradescope_people(text: bytes) -> dict[str, Handed]:
    """Who stands behind each folder of Gradescope's export, from submission_metadata.yml; empty if the file cannot be read.

    A student is named by the part of the address before the @, else by the number, else by the name: the first that is there.
    """
    try:
        entries = yaml.load(text, _RubyYaml)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    people = {}
    for folder, entry in entries.items() if isinstance(entries, dict) else ():
        match = GRADESCOPE.fullmatch(str(folder))
        submitters = entry.get(":submitters") if isinstance(entry, dict) else None
        names = [_submitter(who) for who in submitters if isinstance(who, dict)] if isinstance(submitters, list) else []
        if match and any(names):
            people[str(folder)] = Handed(tuple(name for name in names if name), "Gradescope", int(match["id"]))
    return people


def _submitter(who: dict) -> str:
    for value in (str(who.get(":email") or "").split("@")[0], who.get(":sid"), who.get(":name")):
        if value and (name := folder_name(str(value))):
            return name
    return ""


def notebook_name(file: str) -> tuple[str, int]:
    """The notebook that a file's name means, and which copy of it: "06_attention (2).ipynb" -> ("06_attention", 2); no slug -> "".

    Upper case, spaces and hyphens are let pass, and so are what browsers and platforms put behind a name: (1), -1, "-Copy1".
    """
    stem, copies = re.sub(r"\.ipynb$", "", file.strip(), flags=re.IGNORECASE), []
    stem = re.sub(r"^copy of ", "", stem, flags=re.IGNORECASE)
    while match := COPY.fullmatch(stem):
        copies.append(int(match["round"] or match["word"] or match["dash"] or 1))
        stem = match["stem"]
    plain = re.sub(r"[-_ ]+", "_", stem).strip("_").lower()
    return next((slug for slug in SLUGS if plain in (slug, slug[3:])), ""), copies[-1] if copies else 0
