"""What changed between two graded folders, and why: for telling a class about a regrade."""

import csv
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.results import read_result, result_path
from autograder.paths import UserError

CENT = 1e-4  # points that differ by less are the same


@dataclass(frozen=True)
class Change:
    """One exercise of one student whose points or status changed; an empty status stands for "not there"."""

    student: str
    notebook: str
    exercise: str
    before: tuple[float, str]
    after: tuple[float, str]
    why: str


def changes(old: Path, new: Path) -> list[Change]:
    """Every change between two folders that `grade` wrote.

    Raises:
        UserError: one of them holds no grades.
    """
    before, after = _grades(old), _grades(new)
    found = []
    for place in sorted(before.keys() | after.keys()):
        was, now = before.get(place, (0.0, "")), after.get(place, (0.0, ""))
        if abs(was[0] - now[0]) > CENT or was[1] != now[1]:
            found.append(Change(*place, was, now, _why(old, new, place, was, now)))
    return found


def _grades(folder: Path) -> dict[tuple[str, str, str], tuple[float, str]]:
    try:
        with open(folder / "grades.csv", newline="") as file:
            return {
                (row["student"], row["notebook"], row["exercise"]): (float(row["points"]), row["status"])
                for row in csv.DictReader(file)
            }
    except OSError as error:
        raise UserError(f"{folder} holds no grades ({error.strerror}: grades.csv): name a folder that `grade` wrote") from None
    except (KeyError, ValueError) as error:
        raise UserError(f"{folder / 'grades.csv'} is not a table that `grade` wrote: {error}") from None


def _why(old: Path, new: Path, place: tuple[str, str, str], was: tuple, now: tuple) -> str:
    if not was[1] or not now[1]:
        return "it is only in one of the two"
    student, notebook, exercise = place
    results = [read_result(result_path(folder, student, notebook)) for folder in (old, new)]
    if None in results:
        return "unknown: a result is gone"
    first, second = results
    reasons = [] if first["submission"] == second["submission"] else ["the submission changed"]
    entries = [next((entry for entry in result["exercises"] if entry["exercise"] == exercise), {}) for result in results]
    if entries[0].get("key") != entries[1].get("key"):
        reasons.append("the exercise's key changed")
    if [entry.get("points") for entry in entries] != [was[0], now[0]]:
        reasons.append("a mark was given by hand")
    return " and ".join(reasons) or "the same work and key gave something else: a time limit, or an answer that is random"
