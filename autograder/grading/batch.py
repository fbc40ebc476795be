"""Grading a class: find the submissions, grade them on all cores, keep each result as soon as it is there, write the tables.

OUT/results/<student>/<slug>.json    what grading one submission gave; a second run takes it as it is while nothing has changed
OUT/grades.csv                       one row for every exercise of every submitted notebook
OUT/feedback/<student>/<slug>.html   for the student
OUT/report.html                      for the instructor
"""

import csv
import hashlib
import io
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat

from autograder.build.record import key_paths
from autograder.build.write import load, stale_files
from autograder.grading.report import class_page, student_page
from autograder.grading.sandbox import Sandbox, SandboxDied, bubblewrap
from autograder.grading.submission import ExerciseResult, grade_submission
from autograder.paths import NOTEBOOKS, SLUGS, UserError, written_slugs
from dlcourse.checks.feedback import verdict_html
from dlcourse.checks.key import read_key

COLUMNS = ("student", "notebook", "exercise", "points", "max_points", "status", "hint")


@dataclass(frozen=True)
class Assignment:
    """What grading a notebook needs: full keys, points of what is graded by hand, demonstration cells, and a hash of all that."""

    slug: str
    order: list[str]
    keys: list[dict]
    written: dict[str, float]
    demos: set[str]
    version: str


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


def load_assignment(slug: str) -> Assignment:
    """Everything that grading a notebook needs.

    Raises:
        UserError: a key is missing, or older than the sources.
    """
    if stale := stale_files(slug):
        raise UserError(f"{slug}: missing or out of date: {', '.join(stale)}; run `make build` first")
    _, exercises = load(slug)
    paths = [key_paths(slug, exercise.id)[0] for exercise in exercises if exercise.kind != "written"]
    written = {exercise.id: exercise.points for exercise in exercises if exercise.kind == "written"}
    notebook = nbformat.read(NOTEBOOKS / f"{slug}.ipynb", as_version=4)
    demos = {cell.id for cell in notebook.cells if "demo" in cell.metadata.get("tags", [])}
    version = hashlib.sha256(
        b"".join(path.read_bytes() for path in paths) + repr((written, sorted(demos))).encode()
    ).hexdigest()
    return Assignment(
        slug, [exercise.id for exercise in exercises], [read_key(path) for path in paths], written, demos, version
    )


def grade_class(folder: Path, out: Path, workers: int, unsafe: bool = False, progress=None) -> list[dict]:
    """Grade all submissions in a folder; those whose result is already in `out`, made from the same file and keys, are not run again.

    Args:
        folder: see `find_submissions`.
        out: where results go.
        workers: sandboxes at a time.
        unsafe: without bubblewrap.
        progress: called with (done, all, submission, was it kept) after each.

    Returns:
        the rows of grades.csv.

    Raises:
        UserError: see `find_submissions`, `load_assignment`, `bubblewrap`; or `out` cannot be written.
    """
    submissions = find_submissions(folder)
    assignments = {slug: load_assignment(slug) for slug in sorted({submission.slug for submission in submissions})}
    if not unsafe:
        bubblewrap()
    local = threading.local()
    sandboxes: list[Sandbox] = []

    def one(submission: Submission) -> bool:
        """Grade one submission, unless that has been done; whether it was kept from an earlier run."""
        assignment = assignments[submission.slug]
        path = result_path(out, submission)
        made_from = _made_from(submission, assignment)
        if made_from and _kept(path, made_from):
            return True
        results = _grade_surely(submission, assignment, lambda fresh: _sandbox(local, sandboxes, unsafe, fresh))
        write_whole(path, json.dumps(_record(submission, assignment, results, made_from), indent=1))
        return False

    try:
        with ThreadPoolExecutor(workers) as pool:
            futures = {pool.submit(one, submission): submission for submission in submissions}
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    kept = future.result()
                    if progress:
                        progress(done, len(submissions), futures[future], kept)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    except OSError as error:
        raise UserError(f"cannot write results to {out}: {error.strerror}; what was graded before is kept") from None
    finally:
        for sandbox in sandboxes:
            sandbox.close()
    return write_tables(out, submissions, assignments)


def _sandbox(local: threading.local, sandboxes: list[Sandbox], unsafe: bool, fresh: bool) -> Sandbox:
    """This thread's sandbox; a new one at first, or if the old one died."""
    if fresh or not hasattr(local, "sandbox"):
        local.sandbox = Sandbox(unsafe)
        sandboxes.append(local.sandbox)
    return local.sandbox


def _grade_surely(submission: Submission, assignment: Assignment, sandbox) -> list[ExerciseResult]:
    """Grade; if the sandbox as a whole dies, once more in a new one, then give up on this submission alone."""
    for attempt in range(2):
        try:
            results = grade_submission(
                sandbox(attempt > 0), submission.path, assignment.keys, assignment.written, assignment.demos
            )
            return sorted(results, key=lambda result: assignment.order.index(result.exercise))
        except SandboxDied as error:
            reason = f"the submission ended the process that ran it, twice: {error}"
    sandbox(True)
    points = {key["id"]: key["points"] for key in assignment.keys} | assignment.written
    return [ExerciseResult(name, 0.0, points[name], "flagged", message=reason) for name in assignment.order]


def result_path(out: Path, submission: Submission) -> Path:
    """Where the result of a submission is kept."""
    return out / "results" / submission.student / f"{submission.slug}.json"


def _made_from(submission: Submission, assignment: Assignment) -> dict | None:
    try:
        return {"submission": hashlib.sha256(submission.path.read_bytes()).hexdigest(), "key": assignment.version}
    except OSError:
        return None


def _kept(path: Path, made_from: dict) -> bool:
    try:
        return json.loads(path.read_text())["made_from"] == made_from
    except (OSError, ValueError, KeyError):
        return False


def _record(
    submission: Submission, assignment: Assignment, results: list[ExerciseResult], made_from: dict | None
) -> dict:
    return {
        "student": submission.student, "notebook": submission.slug, "made_from": made_from,
        "exercises": [
            {"exercise": result.exercise, "points": float(result.points), "max_points": float(result.max_points), "status": result.status,
             "hint": result.hint, "message": result.message, "html": verdict_html(result.verdict) if result.verdict else ""}
            for result in results
        ],
    }  # fmt: skip


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all, wherever the machine stops."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        draft.write_text(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_tables(out: Path, submissions: list[Submission], assignments: dict[str, Assignment]) -> list[dict]:
    """Write grades.csv, the students' pages and the report from the results that are there; the rows of grades.csv."""
    records = [json.loads(result_path(out, submission).read_text()) for submission in submissions]
    rows = [
        {"student": record["student"], "notebook": record["notebook"], **{name: entry[name] for name in COLUMNS[2:]}}
        for record in records
        for entry in record["exercises"]
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    try:
        write_whole(out / "grades.csv", text.getvalue())
        for record in records:
            write_whole(out / "feedback" / record["student"] / f"{record['notebook']}.html", student_page(record))
        says = {
            (slug, entry["id"]): entry["says"]
            for slug, item in assignments.items()
            for key in item.keys
            for entry in key["misconceptions"]
        }
        write_whole(out / "report.html", class_page(rows, says))
    except OSError as error:
        raise UserError(
            f"cannot write to {out}: {error.strerror}; the results of each submission are kept in {out / 'results'}"
        ) from None
    return rows
