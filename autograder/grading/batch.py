"""Grading a class: find the submissions, have them graded, keep each result as soon as it is there, write the tables.

OUT/results/<student>/<slug>.json    what grading one submission gave; kept while neither the files nor the keys have changed
OUT/grades.csv                       one row for every exercise of every submitted notebook
OUT/gradebook.db, OUT/autograded/    for nbgrader, see `gradebook`
OUT/feedback/<student>/<slug>.html   for the student
OUT/report.html                      for the instructor
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.assignment import Assignment, load_assignment
from autograder.grading.autograded import write_autograded
from autograder.grading.cluster import connect, entry, grade_all
from autograder.grading.gradebook import Mark, update_gradebook, write_course
from autograder.grading.notebook import Cell, Unreadable, digest, read_cells, read_submission
from autograder.grading.report import class_page, student_page
from autograder.grading.results import read_result, result_path, sole_run, write_whole
from autograder.grading.submission import everywhere
from autograder.paths import SLUGS, UserError, written_slugs

COLUMNS = ("student", "notebook", "exercise", "points", "max_points", "status", "hint")
SHOWN = 20_000  # characters of an answer on a page


@dataclass(frozen=True)
class Submission:
    """A notebook that a student handed in."""

    student: str
    slug: str
    path: Path


def find_submissions(folder: Path) -> list[Submission]:
    """All notebooks in nbgrader's layout, FOLDER/<student>/<slug>/<slug>.ipynb.

    Raises:
        UserError: no such folder, or nothing in it has that layout.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}; it should hold <student>/<notebook>/<notebook>.ipynb")
    known = set(written_slugs())
    paths = sorted(path for slug in SLUGS for path in folder.glob(f"*/{slug}/{slug}.ipynb") if slug in known)
    if not paths:
        raise UserError(
            f"no submission in {folder}: expected files such as {folder}/alice/06_attention/06_attention.ipynb"
        )
    return [Submission(path.parent.parent.name, path.stem, path) for path in paths]


def grade_class(
    folder: Path, out: Path, workers: int = 1, unsafe: bool = False, progress=None, scheduler: str | None = None
) -> list[dict]:
    """Grade all submissions in a folder; exercises whose result is already in `out`, made from the same files and key, are not run again.

    Args:
        folder: see `find_submissions`.
        out: where results go.
        workers: sandboxes at a time, on this machine.
        unsafe: without bubblewrap.
        progress: called with (done, all, submission, was it kept) after each.
        scheduler: address of a Dask scheduler whose workers are to be used instead.

    Returns:
        the rows of grades.csv.

    Raises:
        UserError: see `find_submissions`, `load_assignment`, `sole_run`, `connect`, `update_gradebook`; or `out` cannot be written.
    """
    submissions = find_submissions(folder)
    assignments = {slug: load_assignment(slug) for slug in sorted({submission.slug for submission in submissions})}
    with sole_run(out):
        try:
            done = 0
            tasks = []
            for submission in submissions:
                assignment = assignments[submission.slug]
                if _to_do(out, submission, assignment, _made_from(submission, assignment)):
                    tasks.append(submission)
                else:
                    done += 1
                    if progress:
                        progress(done, len(submissions), submission, True)
            for submission in _grade(tasks, out, assignments, workers, unsafe, scheduler):
                done += 1
                if progress:
                    progress(done, len(submissions), submission, False)
            return write_tables(out, submissions, assignments)
        except OSError as error:
            raise UserError(f"cannot write to {out}: {error.strerror}; what was graded before is kept in {out / 'results'}") from None


def _made_from(submission: Submission, assignment: Assignment) -> str:
    """What identifies the files of a submission now: their hash, or why they cannot be read."""
    try:
        return digest(read_submission(submission.path, assignment.files))
    except Unreadable as error:
        return str(error)


def _to_do(out: Path, submission: Submission, assignment: Assignment, made_from: str) -> set[str]:
    """The exercises of a submission that have no result yet from these files and these keys."""
    kept = read_result(result_path(out, submission.student, submission.slug))
    if kept is None or kept["submission"] != made_from:
        return set(assignment.order)
    versions = {entry["exercise"]: entry["key"] for entry in kept["exercises"]}
    return {name for name, version in assignment.versions.items() if versions.get(name) != version}


def _grade(
    submissions: list[Submission], out: Path, assignments: dict[str, Assignment], count: int, unsafe: bool, scheduler: str | None
) -> Iterator[Submission]:
    """Grade and keep; yields each submission once its result is on disk."""
    unreadable: list[Submission] = []

    def tasks():
        for submission in submissions:
            assignment = assignments[submission.slug]
            try:
                contents = read_submission(submission.path, assignment.files)
            except Unreadable as error:
                _keep_unreadable(out, submission, assignment, str(error))
                unreadable.append(submission)
                continue
            made_from = digest(contents)
            label = (submission, contents["notebook"], made_from)
            yield label, submission.slug, contents, _to_do(out, submission, assignment, made_from)

    if not submissions:
        return
    with connect(list(assignments), count, unsafe, scheduler) as client:
        for (submission, notebook, made_from), entries, seconds in grade_all(client, tasks(), assignments):
            assignment = assignments[submission.slug]
            _keep(out, submission, assignment, _cells(notebook, assignment), made_from, entries, seconds)
            yield submission
    yield from unreadable


def _keep_unreadable(out: Path, submission: Submission, assignment: Assignment, reason: str) -> None:
    results = everywhere(assignment.keys, assignment.written, "error", reason)
    _keep(out, submission, assignment, [_notice(reason)], reason, [entry(result, assignment) for result in results], 0.0)


def _keep(
    out: Path, submission: Submission, assignment: Assignment, cells: list[Cell], made_from: str, entries: list[dict], seconds: float
) -> None:
    """Write the result of a submission; exercises that were not run again stay as they were."""
    path = result_path(out, submission.student, submission.slug)
    before = read_result(path)
    changed = before is not None and before["submission"] != made_from
    by_name = {entry["exercise"]: entry for entry in (before["exercises"] if before and not changed else [])}
    answers = {cell.name: cell.source[:SHOWN] for cell in cells if cell.name in assignment.versions}  # the last cell of each exercise
    for result in entries:
        by_name[result["exercise"]] = {**result, "answer": answers.get(result["exercise"], "")}
    record = {
        "student": submission.student, "notebook": submission.slug, "submission": made_from, "seconds": round(seconds, 3),
        "look_again": changed or bool(before and before.get("look_again")),
        "exercises": [by_name[name] for name in assignment.order],
    }  # fmt: skip
    write_autograded(out, submission.student, submission.slug, cells, record["exercises"])
    write_whole(path, json.dumps(record))


def _cells(notebook: bytes, assignment: Assignment) -> list[Cell]:
    """The cells of a submission; of what is no notebook, one that says so."""
    try:
        return read_cells(notebook, assignment.demos)
    except Unreadable as error:
        return [_notice(str(error))]


def _notice(text: str) -> Cell:
    return Cell("markdown", f"**{text}**", "unreadable", demo=False)


def write_tables(out: Path, submissions: list[Submission], assignments: dict[str, Assignment]) -> list[dict]:
    """Write gradebook, grades.csv, the students' pages and the report from the results that are there; the rows of grades.csv."""
    records = [json.loads(result_path(out, submission.student, submission.slug).read_text()) for submission in submissions]
    write_course(out, list(assignments))
    marks = update_gradebook(out, records)
    for record in records:
        if record["look_again"]:  # the gradebook asks for it now
            record["look_again"] = False
            write_whole(result_path(out, record["student"], record["notebook"]), json.dumps(record))
        record["exercises"] = [
            _marked(entry, marks.get((record["student"], record["notebook"], entry["exercise"]))) for entry in record["exercises"]
        ]
    rows = [
        {"student": record["student"], "notebook": record["notebook"], **{name: entry[name] for name in COLUMNS[2:]}}
        for record in records
        for entry in record["exercises"]
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(out / "grades.csv", text.getvalue())
    for record in records:
        write_whole(out / "feedback" / record["student"] / f"{record['notebook']}.html", student_page(record))
    says = {
        (slug, misconception["id"]): misconception["says"]
        for slug, assignment in assignments.items()
        for key in assignment.keys
        for misconception in key["misconceptions"]
    }
    write_whole(out / "report.html", class_page(records, says))
    return rows


def _marked(result: dict, mark: Mark | None) -> dict:
    """A result with what a person gave for it."""
    if mark is None:
        return {**result, "comment": ""}
    result = {**result, "comment": mark.comment}
    if mark.points is None and not mark.extra:
        return result
    points = (result["points"] if mark.points is None else mark.points) + mark.extra
    status = "passed" if points >= result["max_points"] else "partial" if points > 0 else "failed"
    if mark.points is None or mark.pending:
        status = result["status"]
    return {**result, "points": points, "status": status, "message": "" if mark.points is not None else result["message"]}
