"""Marks for a learning platform's gradebook, or as a table for people.

canvas   the gradebook's own columns: Student, ID, SIS User ID, SIS Login ID, Section, one column for each notebook; a line with the points
         possible above the students (lib/gradebook_importer.rb of Canvas: the first two and Section must be there)
moodle   one line for each student with what identifies them, and for each notebook a grade and a feedback column; when importing, choose
         the identifier under "Identify user by" and each column's target under "Grade item mappings"
csv      everything, with totals, for a spreadsheet
xlsx     the same as a workbook: a sheet of totals, and one of all exercises
"""

import re
from dataclasses import dataclass
from pathlib import Path

from autograder.handover.marks import NotebookMark, by_notebook, harmless, marks, number, totals_table, write_csv
from autograder.handover.roster import NUMBERS, Match, Roster, display_name, match, read_roster
from autograder.paths import UserError
from autograder.weights import WEIGHTS

FORMATS = ("canvas", "moodle", "csv", "xlsx")
CANVAS_HEAD = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE_HEAD = ("First name", "Last name", "ID number", "Username", "Email address")


@dataclass(frozen=True)
class Exported:
    """What an export did: the file; who is not in it, with the reason; on the list but without marks; which marks may still change."""

    path: Path
    unmatched: dict[str, str]
    without_marks: list[str]
    provisional: dict[str, dict[str, str]]  # student: notebook: why
    notes: list[str]


def export(
    out: Path, form: str, roster: Path | None = None, to: Path | None = None, only_final: bool = False
) -> Exported:
    """Write the marks of OUT/grades.csv in one of `FORMATS`.

    Args:
        out: what `grade` wrote.
        form: one of `FORMATS`.
        roster: the platform's own list of students; without it identifiers are the names of the folders.
        to: where to write; OUT/marks_<form>.csv, or OUT/marks.xlsx, if not given.
        only_final: leave out marks that wait for a person.

    Raises:
        UserError: unknown form, no grades, a bad roster, or the file cannot be written.
    """
    if form not in FORMATS:
        raise UserError(f'there is no format "{form}": choose one of {", ".join(FORMATS)}')
    rows = marks(out)
    if not rows:
        raise UserError(f"{out / 'grades.csv'} has no marks in it")
    graded = by_notebook(rows)
    people = read_roster(roster) if roster else None
    found = match(list(graded), people) if people else Match({}, {}, [])
    path = to or out / ("marks.xlsx" if form == "xlsx" else f"marks_{form}.csv")
    shown = {student: _shown(mark, only_final) for student, mark in graded.items()}
    notes: list[str] = []
    if form == "canvas":
        write_csv(path, canvas_table(shown, people, found, notes))
    elif form == "moodle":
        write_csv(path, moodle_table(shown, people, found))
    elif form == "csv":
        write_csv(path, _named(totals_table(rows), found))
    else:
        write_workbook(path, _named(totals_table(rows), found), _all_rows(rows))
    provisional = {
        student: reasons
        for student, notebooks in graded.items()
        if (reasons := {slug: mark.provisional for slug, mark in notebooks.items() if mark.provisional})
    }
    return Exported(path, found.unmatched, found.without_marks, provisional, notes)


def _shown(notebooks: dict[str, NotebookMark], only_final: bool) -> dict[str, NotebookMark]:
    return {slug: mark for slug, mark in notebooks.items() if not (only_final and mark.provisional)}


def _slugs(graded: dict[str, dict]) -> list[str]:
    return sorted({slug for notebooks in graded.values() for slug in notebooks})


def canvas_table(graded: dict[str, dict], roster: Roster | None, found: Match, notes: list[str]) -> list[list]:
    """Canvas's gradebook: header, points possible, students.

    A notebook goes into the roster's column for it, if there is one (then scaled to the points possible of that column); else into a new
    column, from which Canvas makes a new assignment. Where a student has no mark, what Canvas has now is written back: an empty cell
    would erase it.
    """
    maxima = {slug: max(mark[slug].maximum for mark in graded.values() if slug in mark) for slug in _slugs(graded)}
    head = (
        [
            name
            for name in roster.header
            if name in (*CANVAS_HEAD, "LastName", "FirstName", "Integration ID", "Root Account")
        ]
        if roster
        else []
    )
    if roster and ("Section" not in head or "ID" not in head):
        raise UserError("this is no list of Canvas's: it has no columns ID and Section; use the gradebook's export")
    head = head or list(CANVAS_HEAD)
    columns, possible = [], []
    for slug, maximum in maxima.items():
        column = _column(slug, roster.header) if roster else None
        theirs = _points(roster.points_possible.get(column, "")) if column else None
        columns.append(column or slug)
        possible.append(theirs or maximum)
        if theirs and theirs != maximum:
            notes.append(
                f"{slug}: {number(maximum)} points are scaled to the {number(theirs)} points of Canvas's column {column}"
            )
        if roster and not column:
            notes.append(f"{slug}: no column of Canvas's has this name, so Canvas will offer to make a new assignment")
    first = ["    Points Possible", *[""] * (len(head) - 1), *map(number, possible)]
    lines = []
    for student, notebooks in graded.items():
        line = found.lines.get(student) if roster else {"Student": student, "SIS Login ID": student}
        if line is None:
            continue
        cells = [
            number(notebooks[slug].share * most) if slug in notebooks else line.get(column, "")
            for slug, column, most in zip(maxima, columns, possible)
        ]
        lines.append([*(line.get(name, "") for name in head), *cells])
    return [[*head, *columns], first, *lines]


def _column(slug: str, header: list[str]) -> str | None:
    """The column for a notebook: its title is the slug or the slug's words, perhaps with Canvas's number behind it."""
    wanted = {_words(slug), _words(slug[3:])}
    for column in header:
        title = _words(re.sub(r"\(\d+\)\s*$", "", column))
        if title in wanted:
            return column
    return None


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def _points(text: str) -> float | None:
    try:
        return float(text.replace(",", "")) or None
    except ValueError:
        return None


def moodle_table(graded: dict[str, dict], roster: Roster | None, found: Match) -> list[list]:
    """Moodle's import of grades: identifiers, then "<notebook>" and "<notebook> (feedback)" for each notebook."""
    slugs = _slugs(graded)
    head = [name for name in roster.header if name in MOODLE_HEAD] if roster else ["Username"]
    if roster and not set(head) & set(NUMBERS):
        raise UserError("this list has no column by which Moodle knows its users: ID number, Username or Email address")
    table = [[*head, *(name for slug in slugs for name in (slug, f"{slug} (feedback)"))]]
    for student, notebooks in graded.items():
        line = found.lines.get(student) if roster else {"Username": student}
        if line is None:
            continue
        cells = [cell for slug in slugs for cell in (_moodle_cells(notebooks[slug]) if slug in notebooks else ("", ""))]
        table.append([*(line.get(name, "") for name in head), *cells])
    return table


def _moodle_cells(mark: NotebookMark) -> tuple[float, str]:
    feedback = f"{number(mark.points)} of {number(mark.maximum)} points"
    return number(mark.points), f"{feedback}; still {mark.provisional}" if mark.provisional else feedback


def _named(table: list[list], found: Match) -> list[list]:
    """The table with the platform's names and identifiers beside the folders' names, where a roster tells them."""
    if not found.lines:
        return table
    extra = [name for name in NUMBERS if any(line.get(name) for line in found.lines.values())]
    lines = []
    for line in table[1:]:
        known = found.lines.get(line[0], {})
        lines.append(
            [line[0], display_name(known) if known else "", *(known.get(name, "") for name in extra), *line[1:]]
        )
    return [[table[0][0], "name", *extra, *table[0][1:]], *lines]


def _all_rows(rows: list[dict]) -> list[list]:
    names = list(rows[0])
    return [names, *([row[name] for name in names] for row in rows)]


def write_workbook(path: Path, totals: list[list], exercises: list[list]) -> None:
    """Write an Excel workbook; text is stored as text, so that no cell can be a formula.

    Raises:
        UserError: the file cannot be written.
    """
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    weights = [["notebook", "weight"], *([slug, weight] for slug, weight in WEIGHTS.items())]
    for title, table in (("totals", totals), ("exercises", exercises), ("weights", weights)):
        sheet = book.create_sheet(title)
        for line in table:
            sheet.append([_printable(harmless(cell)) for cell in line])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for column in range(1, len(table[0]) + 1):
            width = max(len(str(line[column - 1])) for line in table)
            sheet.column_dimensions[get_column_letter(column)].width = min(60, width + 2)
        sheet.freeze_panes = "B2"
    book.remove(book.worksheets[0])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        book.save(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def _printable(cell):
    """Text without the control characters that a workbook cannot hold."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", cell) if isinstance(cell, str) else cell
