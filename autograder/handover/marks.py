"""Marks out of grades.csv, and what they come to in the course: one total out of 100 for each student."""

import csv
import io
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from autograder.grading.results import write_whole
from autograder.paths import UserError
from autograder.weights import WEIGHTS

NEEDED = ("student", "notebook", "exercise", "points", "max_points", "status")  # columns of grades.csv that are read
PENDING = {"manual": "to be graded by hand", "flagged": "to be looked at"}  # statuses whose points may still change
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the start of a formula


@dataclass
class NotebookMark:
    """What a student has for a notebook, and how many exercises wait for a person, by status."""

    points: float = 0.0
    maximum: float = 0.0
    pending: Counter = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """From 0 to 1 (above, if somebody gave more than the maximum)."""
        return self.points / self.maximum if self.maximum else 0.0

    @property
    def provisional(self) -> str:
        """Why the mark may still change; empty if it is final."""
        return ", ".join(f"{count} {PENDING[status]}" for status, count in sorted(self.pending.items()))


@dataclass(frozen=True)
class Total:
    """A student's line: what each notebook gives of its weight (nothing if it was not handed in), and their sum."""

    student: str
    parts: dict[str, float]
    total: float
    provisional: dict[str, str]  # notebook: why


def marks(out: Path) -> list[dict]:
    """The rows of OUT/grades.csv, with points as numbers. All that leaves this project as a mark is read here.

    Raises:
        UserError: there is no such file, or it is not of the form that `grade` writes.
    """
    path = out / "grades.csv"
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in NEEDED if name not in (reader.fieldnames or ())]
            rows = list(reader)
    except FileNotFoundError:
        raise UserError(
            f"there is no {path}: grade first (python -m autograder grade SUBMISSIONS --out {out})"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}: it should have {', '.join(NEEDED)}")
    for line, row in enumerate(rows, 2):
        for name in ("points", "max_points"):
            try:
                row[name] = float(row[name])
            except (TypeError, ValueError):
                raise UserError(f'{path}, line {line}: "{row[name]}" is no number of points') from None
            if not math.isfinite(row[name]):
                raise UserError(f"{path}, line {line}: {row[name]} is no number of points")
        if not row["student"] or not row["notebook"]:
            raise UserError(f"{path}, line {line}: the student or the notebook is missing")
    return rows


def by_notebook(rows: list[dict]) -> dict[str, dict[str, NotebookMark]]:
    """student -> notebook -> mark, both in order."""
    found: dict[str, dict[str, NotebookMark]] = defaultdict(lambda: defaultdict(NotebookMark))
    for row in rows:
        mark = found[row["student"]][row["notebook"]]
        mark.points += row["points"]
        mark.maximum += row["max_points"]
        if row["status"] in PENDING:
            mark.pending[row["status"]] += 1
    return {student: dict(sorted(found[student].items())) for student in sorted(found)}


def totals(rows: list[dict]) -> list[Total]:
    """Each student's total out of 100, by `WEIGHTS`. A notebook that was not handed in gives nothing."""
    lines = []
    for student, notebooks in by_notebook(rows).items():
        parts = {slug: notebooks[slug].share * weight for slug, weight in WEIGHTS.items() if slug in notebooks}
        provisional = {
            slug: mark.provisional for slug, mark in notebooks.items() if slug in WEIGHTS and mark.provisional
        }
        lines.append(Total(student, parts, sum(parts.values()), provisional))
    return lines


def reachable(rows: list[dict]) -> float:
    """The most that anybody can have in what has been graded so far: the weights of the notebooks in `rows`."""
    return sum(WEIGHTS.get(slug, 0) for slug in {row["notebook"] for row in rows})


def totals_table(rows: list[dict]) -> list[list]:
    """The table of totals.csv, its header first: identifier, points of each notebook's weight, total out of 100, what is provisional."""
    slugs = [slug for slug in WEIGHTS if any(row["notebook"] == slug for row in rows)]
    header = ["student", *(f"{slug} (of {WEIGHTS[slug]})" for slug in slugs), "total (of 100)", "provisional"]
    lines = [
        [
            line.student,
            *(round(line.parts[slug], 2) if slug in line.parts else "" for slug in slugs),
            round(line.total, 2),
            "; ".join(f"{slug}: {why}" for slug, why in line.provisional.items()),
        ]
        for line in totals(rows)
    ]
    return [header, *lines]


def write_totals(out: Path, rows: list[dict]) -> Path:
    """Write OUT/totals.csv."""
    return write_csv(out / "totals.csv", totals_table(rows))


def write_csv(path: Path, table: list[list]) -> Path:
    """Write a table for people to open in a spreadsheet.

    Raises:
        UserError: the file cannot be written.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([harmless(cell) for cell in line] for line in table)
    try:
        write_whole(path, text.getvalue())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    return path


def harmless(cell):
    """A cell that no spreadsheet takes for a formula: text that would start one gets an apostrophe in front; numbers stay."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) and not _is_number(cell) else cell


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and text.isprintable()
    except ValueError:
        return False


def number(value: float) -> float | int:
    """A number of points without needless digits."""
    value = round(value, 2)
    return int(value) if value == int(value) else value
