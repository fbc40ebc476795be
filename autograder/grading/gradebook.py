"""nbgrader's own gradebook for what was graded here, in an nbgrader course folder, so that formgrader opens it and marks given there count.

OUT/gradebook.db                                  points; marks and comments by hand are only ever read
OUT/nbgrader_config.py, OUT/source/<slug>/        the rest of the course folder; `autograded` writes what formgrader shows
"""

import json
from dataclasses import dataclass
from pathlib import Path

import nbformat
import nbgrader.api
from alembic.script import ScriptDirectory
from nbgrader.api import BaseCell, Comment, Grade, Gradebook, Student, SubmittedAssignment, SubmittedNotebook
from nbgrader.utils import compute_checksum, is_grade, is_locked, is_solution
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from autograder.grading.results import write_whole
from autograder.paths import NOTEBOOKS, UserError

COURSE = "dlcourse"
CONFIG = f'''"""The course folder of a graded class: `nbgrader formgrader` and `nbgrader generate_feedback` work here."""

c = get_config()  # noqa: F821  nbgrader provides it
c.CourseDirectory.course_id = "{COURSE}"
c.CourseDirectory.db_url = "sqlite:///gradebook.db"
c.ExportPlugin.to = "nbgrader_grades.csv"  # `nbgrader export` would write over grades.csv
'''


@dataclass(frozen=True)
class Mark:
    """What a person gave: points instead of the grader's (None if none), extra credit, a comment, and whether it is to be looked at again."""

    points: float | None
    extra: float
    comment: str
    pending: bool


def write_course(out: Path, slugs: list[str]) -> None:
    """The parts of an nbgrader course folder that do not depend on submissions."""
    write_whole(out / "nbgrader_config.py", CONFIG)
    for slug in slugs:
        write_whole(out / "source" / slug / f"{slug}.ipynb", (NOTEBOOKS / f"{slug}.ipynb").read_text())


def _schema_version() -> str:
    """The version of nbgrader's schema, which its own function finds by starting a process that takes two seconds."""
    return ScriptDirectory(str(Path(nbgrader.api.__file__).parent / "alembic")).get_current_head()


nbgrader.api.get_alembic_version = _schema_version


def update_gradebook(out: Path, records: list[dict]) -> dict[tuple[str, str, str], Mark]:
    """Bring the gradebook up to date with the results.

    Args:
        out: the folder of the gradebook.
        records: results, as they are kept.

    Returns:
        what people marked there, by (student, notebook, exercise).

    Raises:
        UserError: the gradebook is locked by another program, or is no gradebook.
    """
    path = out / "gradebook.db"
    try:
        if not path.exists():
            _new(path)
        with Gradebook(f"sqlite:///{path}", COURSE) as book:
            for slug in sorted({record["notebook"] for record in records}):
                _add_assignment(book, slug)
            _add_submissions(book, records)
            grades = _keyed(book, Grade)
            for record in records:
                for entry in record["exercises"]:
                    _save(grades[record["student"], record["notebook"], entry["exercise"]], entry, record)
            book.db.commit()
            return _marks(book, grades)
    except OperationalError as error:
        raise UserError(f"{path} cannot be written ({error.orig}): close what uses it, and run the command again; nothing is lost") from None


def _new(path: Path) -> None:
    """A gradebook that is there as a whole or not at all."""
    draft = path.with_name(".gradebook.new")
    draft.unlink(missing_ok=True)
    with Gradebook(f"sqlite:///{draft}", COURSE):
        pass
    draft.replace(path)


def _exercise(name: str) -> str:
    """The exercise that a grade cell belongs to."""
    return name.removesuffix("_check")


def _add_assignment(book: Gradebook, slug: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / f"{slug}.ipynb", as_version=4)
    book.update_or_create_assignment(slug)
    known = book.update_or_create_notebook(slug, slug, kernelspec=json.dumps(notebook.metadata.get("kernelspec", {})))
    before = {cell.name: (cell.source, cell.checksum) for cell in known.source_cells}
    for cell in (cell for cell in notebook.cells if "nbgrader" in cell.metadata):
        meta, checksum = cell.metadata["nbgrader"], compute_checksum(cell)
        at = (meta["grade_id"], slug, slug)
        if before.get(meta["grade_id"]) == (cell.source, checksum):
            continue
        if is_grade(cell):
            book.update_or_create_grade_cell(*at, max_score=float(meta["points"]), cell_type=cell.cell_type)
        if is_solution(cell):
            book.update_or_create_solution_cell(*at)
        book.update_or_create_source_cell(*at, cell_type=cell.cell_type, locked=is_locked(cell), source=cell.source, checksum=checksum)


def _add_submissions(book: Gradebook, records: list[dict]) -> None:
    """Rows for submissions that have none yet, and for cells that are new since; in one transaction, which nbgrader's own calls are not."""
    students = {student.id: student for student in book.db.execute(select(Student)).scalars()}
    assignments = {assignment.name: assignment for assignment in book.assignments}
    there = {(entry.student_id, entry.assignment_id): entry for entry in book.db.execute(select(SubmittedAssignment)).scalars()}
    for record in records:
        student, assignment = record["student"], assignments[record["notebook"]]
        if student not in students:
            students[student] = Student(id=student)
            book.db.add(students[student])
        if (student, assignment.id) not in there:
            there[student, assignment.id] = SubmittedAssignment(assignment=assignment, student=students[student])
            book.db.add(there[student, assignment.id])
            for notebook in assignment.notebooks:
                book.db.add(SubmittedNotebook(notebook=notebook, assignment=there[student, assignment.id]))
    book.db.flush()
    for kind in (Grade, Comment):
        rows = {tuple(row) for row in book.db.execute(select(kind.notebook_id, kind.cell_id))}
        for notebook in book.db.execute(select(SubmittedNotebook)).scalars():
            cells = notebook.notebook.grade_cells if kind is Grade else notebook.notebook.solution_cells
            book.db.add_all(kind(notebook_id=notebook.id, cell_id=cell.id) for cell in cells if (notebook.id, cell.id) not in rows)
        book.db.flush()


def _keyed(book: Gradebook, kind) -> dict[tuple[str, str, str], object]:
    """Grade or Comment rows by (student, notebook, exercise)."""
    query = (
        select(kind, SubmittedAssignment.student_id, BaseCell.name)
        .join(SubmittedNotebook, kind.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(BaseCell, kind.cell_id == BaseCell.id)
        .add_columns(SubmittedAssignment.assignment_id)
    )
    slugs = {assignment.id: assignment.name for assignment in book.assignments}
    return {(student, slugs[assignment], _exercise(name)): row for row, student, name, assignment in book.db.execute(query)}


def _save(grade: Grade, entry: dict, record: dict) -> None:
    """The grader's points; what a person gave stays, and is asked for again if the work has changed since."""
    by_hand = entry["status"] in ("manual", "flagged")
    points = entry["points"] or None if entry["status"] == "manual" else entry["points"]
    if grade.auto_score != points:
        grade.auto_score = points
    if grade.manual_score is None and grade.needs_manual_grade != by_hand:
        grade.needs_manual_grade = by_hand
    elif grade.manual_score is not None and by_hand and record.get("look_again"):
        grade.needs_manual_grade = True


def _marks(book: Gradebook, grades: dict[tuple[str, str, str], Grade]) -> dict[tuple[str, str, str], Mark]:
    comments = _keyed(book, Comment)
    found = {}
    for place, grade in grades.items():
        comment = comments.get(place)
        text = (comment.manual_comment or "") if comment else ""
        if grade.manual_score is not None or grade.extra_credit or text:
            found[place] = Mark(grade.manual_score, grade.extra_credit or 0.0, text, bool(grade.needs_manual_grade))
    return found
