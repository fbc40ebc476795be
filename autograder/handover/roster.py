"""A learning platform's list of students, matched with the names that grading knows: the folders of SUBMISSIONS.

Canvas: the gradebook's export. Moodle: the export of grades as plain text, or the list of participants. Others: any CSV whose header
has some of the columns below.
"""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from autograder.paths import UserError

NUMBERS = (
    "ID",
    "SIS User ID",
    "SIS Login ID",
    "Integration ID",
    "ID number",
    "Username",
    "Email address",
    "Email",
    "SID",
    "Student ID",
)
WHOLE_NAMES = ("Student", "Name", "Full name", "Student name")
FIRST_AND_LAST = (
    ("First name", "Last name"),
    ("FirstName", "LastName"),
    ("First name", "Surname"),
    ("First Name", "Last Name"),
)


@dataclass(frozen=True)
class Roster:
    """The platform's table: its header, one line for each student, and the lines that are not students' (points possible)."""

    header: list[str]
    students: list[dict[str, str]]
    points_possible: dict[str, str]


@dataclass(frozen=True)
class Match:
    """Who is who: graded name -> line of the roster; and who could not be matched, with the reason."""

    lines: dict[str, dict[str, str]]
    unmatched: dict[str, str]
    without_marks: list[str]


def read_roster(path: Path) -> Roster:
    """Read a CSV with commas or semicolons.

    Raises:
        UserError: it cannot be read, or has none of the columns that tell students apart.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"there is no file {path}; it should be the list of students that your platform exports"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is no UTF-8 text: export the list of students as CSV") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    try:
        table = [
            line for line in csv.reader(io.StringIO(text), delimiter=separator) if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as CSV: {error}") from None
    header = [name.strip() for name in table[0]] if table else []
    names = {*NUMBERS, *WHOLE_NAMES, *(name for pair in FIRST_AND_LAST for name in pair)}
    if not names & set(header):
        raise UserError(
            f"{path} has none of the columns that tell students apart, such as {', '.join(NUMBERS[:3])} or Email address"
        )
    lines = [dict(zip(header, [*line, *[""] * len(header)])) for line in table[1:]]
    possible = next((line for line in lines if "Points Possible" in line[header[0]]), {})
    students = [line for line in lines if _is_student(line)]
    return Roster(header, students, possible)


def _is_student(line: dict[str, str]) -> bool:
    """Canvas puts lines above the students (points possible, muted columns) that have no id, and a test student below them."""
    if "Points Possible" in next(iter(line.values())) or line.get("Student", "").strip() == "Student, Test":
        return False
    return any(
        line.get(name, "").strip() for name in (*NUMBERS, *WHOLE_NAMES, *(n for pair in FIRST_AND_LAST for n in pair))
    )


def match(students: list[str], roster: Roster) -> Match:
    """Find each graded student's line: by a number or an address, then by the name. Two candidates are none."""
    by_id = {line["ID"].strip(): [line] for line in roster.students if line.get("ID", "").strip()}
    by_number: dict[str, list[dict]] = {}
    by_name: dict[str, list[dict]] = {}
    for line in roster.students:
        for key in _numbers(line):
            by_number.setdefault(key, []).append(line)
        for key in _names(line):
            by_name.setdefault(key, []).append(line)
    lines, unmatched = {}, {}
    for student in students:
        candidates = _candidates(student, by_id, by_number, by_name)
        if len(candidates) == 1:
            lines[student] = candidates[0]
        else:
            unmatched[student] = "several on the list could be meant" if candidates else "not on the list"
    for student, line in list(lines.items()):
        twins = [other for other, theirs in lines.items() if theirs is line and other != student]
        if twins:
            unmatched[student] = f"{', '.join(twins)} would be the same person on the list"
    lines = {student: line for student, line in lines.items() if student not in unmatched}
    matched = [id(line) for line in lines.values()]
    without = [display_name(line) for line in roster.students if id(line) not in matched]
    return Match(lines, unmatched, without)


def display_name(line: dict[str, str]) -> str:
    """How a person calls the student of a line."""
    for name in WHOLE_NAMES:
        if line.get(name):
            return line[name]
    for first, last in FIRST_AND_LAST:
        if line.get(last):
            return f"{line.get(first, '')} {line[last]}".strip()
    return next((line[name] for name in NUMBERS if line.get(name)), "")


def _candidates(student: str, by_id: dict, by_number: dict, by_name: dict) -> list[dict]:
    """The lines that a graded name may mean: the surest sort of evidence that gives any."""
    canvas = re.fullmatch(r".+_(\d+)", student)  # doejane_12345, as `collect` names them
    keys = [(by_id, canvas[1] if canvas else ""), (by_number, student.casefold()), (by_name, _plain(student))]
    for table, key in keys:
        if found := table.get(key):
            return [line for index, line in enumerate(found) if not any(line is other for other in found[:index])]
    return []


def _numbers(line: dict[str, str]) -> set[str]:
    values = {line.get(name, "").strip().casefold() for name in NUMBERS} - {""}
    return values | {value.split("@")[0] for value in values if "@" in value}


def _names(line: dict[str, str]) -> set[str]:
    """The name in the ways that platforms write it: Jane Doe, Doe Jane; without spaces it is Canvas's doejane."""
    found = set()
    for name in WHOLE_NAMES:
        if whole := line.get(name, "").strip():
            last, _, first = whole.partition(",")
            found |= {whole, f"{first} {last}"}
    for first, last in FIRST_AND_LAST:
        if line.get(first) or line.get(last):
            found |= {f"{line.get(first, '')} {line.get(last, '')}", f"{line.get(last, '')} {line.get(first, '')}"}
    return {plain for name in found if (plain := _plain(name))}


def _plain(name: str) -> str:
    """Letters and digits alone, in lower case, so that spaces, accents and apostrophes do not matter."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())
