"""The command line: `python -m autograder COMMAND`."""

import functools
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from autograder.paths import BUILD, UserError, require_slug, written_slugs

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Build and grade the course."
)
console = Console()
SHOWN_STUDENTS = 40  # rows of the table that `grade` prints
SHOWN = 20  # lines of a long list that are printed
Slugs = Annotated[
    list[str] | None, typer.Argument(help="Notebooks such as 06_attention; all of them if none is named.")
]


def main() -> int:
    """Run a command; a mistake of the user's is one sentence and exit code 1."""
    try:
        return app(standalone_mode=False) or 0
    except UserError as error:
        Console(stderr=True).print(f"Error: {error}", style="bold red", highlight=False, soft_wrap=True, markup=False)
        return 1
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        Console(stderr=True).print("Stopped. What was finished is kept; the same command goes on from there.")
        return 130
    except Exception as error:
        if hasattr(error, "show"):  # usage errors of the command line
            error.show()
            return 2
        raise


def chosen(slugs: list[str] | None) -> list[str]:
    """The named notebooks, or all that are finished."""
    return [require_slug(slug) for slug in slugs] if slugs else written_slugs()


def progress_bar() -> Progress:
    """A bar on a terminal; elsewhere it stays silent, and the commands print plain lines."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


@app.command()
def build(
    slugs: Slugs = None,
    force: Annotated[
        bool, typer.Option(help="Record all keys anew, also those whose sources have not changed.")
    ] = False,
    check: Annotated[
        bool, typer.Option(help="Change nothing; fail if what is committed is not what the sources make.")
    ] = False,
):
    """Build student notebooks and answer keys from the masters."""
    from autograder.build.write import build_notebook, load, stale_files

    if check:
        stale = [name for slug in chosen(slugs) for name in stale_files(slug)]
        if stale:
            raise UserError(f"not up to date: {', '.join(stale)}; run `make build` and commit the result")
        console.print("All built files are up to date.")
        return
    for slug in chosen(slugs):
        with progress_bar() as bar:
            advance = functools.partial(bar.advance, bar.add_task(f"build {slug}", total=len(load(slug)[1])))
            built = build_notebook(slug, force, progress=advance)
        console.print(f"{slug}: {len(built.written)} files written, {len(built.removed)} removed")


@app.command()
def execute(
    slugs: Slugs = None,
    untouched: Annotated[
        bool, typer.Option(help="Run the student notebooks as they are handed out, instead of the references.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Notebooks at a time.")] = os.cpu_count() or 1,
):
    """Execute notebooks from top to bottom; they are kept with their outputs in build/."""
    from autograder.build.execute import execute_all

    names = chosen(slugs)
    console.print(f"Running {len(names)} notebook{'s' * (len(names) > 1)}, {min(jobs, len(names))} at a time ...")
    for run in execute_all(names, untouched, jobs):
        console.print(run.sentence(), soft_wrap=True, highlight=False)


@app.command()
def assignments(slugs: Slugs = None):
    """Write the assignments for otter (with Gradescope's zip) and nbgrader to build/."""
    from autograder.doors.nbgrader import write_course
    from autograder.doors.otter import write_assignment

    for slug in chosen(slugs):
        write_assignment(slug)
    write_course(chosen(slugs))
    console.print(
        f"Assignments for otter and nbgrader: {BUILD / 'otter'}, {BUILD / 'nbgrader'}", soft_wrap=True, highlight=False
    )


@app.command()
def sample(
    slugs: Slugs = None,
    out: Annotated[Path, typer.Option(help="Folder to write the submissions to.")] = BUILD / "sample" / "submitted",
):
    """Write the sample class: submissions of made-up students, from perfect to broken (notebooks 01 and 06, unless others are named)."""
    from autograder.sample import SLUGS, write_sample

    students = write_sample(out, chosen(slugs or list(SLUGS)))
    console.print(f"{len(students)} students in {out}")


@app.command()
def grade(
    submissions: Annotated[Path, typer.Argument(help="Folder with <student>/<notebook>/<notebook>.ipynb.")],
    out: Annotated[Path, typer.Option(help="Folder for grades.csv, feedback/ and report.html.")],
    workers: Annotated[int, typer.Option(min=1, help="Sandboxes at a time.")] = os.cpu_count() or 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, such as tcp://10.0.0.1:8786: grade on its workers.")
    ] = None,
    unsafe: Annotated[bool, typer.Option(help="Without a sandbox: only for code that you trust.")] = False,
):
    """Grade a class. May be stopped at any moment: the same command goes on where it was."""
    from autograder.grading.batch import grade_class
    from autograder.grading.report import class_table

    with progress_bar() as bar:
        task = bar.add_task("grading", total=None)

        def progress(done, total, submission, kept):
            bar.update(task, completed=done, total=total)
            if not console.is_terminal:
                console.print(f"{done}/{total} {submission.student} {submission.slug}{' (kept)' if kept else ''}")

        rows = grade_class(submissions, out, workers, unsafe, progress, scheduler)
    slugs = sorted({row["notebook"] for row in rows})
    table = Table("student", *slugs, "to look at", title="Points earned so far")
    students = class_table(rows)
    for student in students[:SHOWN_STUDENTS]:
        table.add_row(escape(student["name"]), *student["points"], student["remarks"])
    console.print(table)
    if len(students) > SHOWN_STUDENTS:
        console.print(f"... and {len(students) - SHOWN_STUDENTS} more: all of them are in the report.")
    console.print(f"Report: {(out / 'report.html').resolve()}", soft_wrap=True, highlight=False)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A folder that `grade` wrote.")],
    new: Annotated[Path, typer.Argument(help="Another one, for example after a regrade.")],
):
    """Whose marks differ between two graded folders, and why."""
    from autograder.grading.diff import changes

    found = changes(old, new)
    table = Table("student", "notebook", "exercise", "before", "after", "why", title=f"{len(found)} changes")
    for item in found:
        before, after = (f"{points:g} {status}" if status else "–" for points, status in (item.before, item.after))
        table.add_row(escape(item.student), item.notebook, item.exercise, before, after, item.why)
    console.print(table)


@app.command()
def bench(
    slugs: Slugs = None,
    only: Annotated[
        list[str] | None, typer.Option(help="notebooks, training or grading; all three if none is named.")
    ] = None,
):
    """Measure reference runs, checks, training and grading, and keep the figures in build/bench.json."""
    from autograder.bench import PARTS
    from autograder.bench import bench as measure

    if unknown := set(only or ()) - set(PARTS):
        raise UserError(f"nothing to measure is called {', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    path = measure(chosen(slugs), only or list(PARTS), lambda line: console.print(line, highlight=False, soft_wrap=True))
    console.print(f"Figures: {path}", soft_wrap=True, highlight=False)


@app.command()
def collect(
    downloads: Annotated[
        Path, typer.Argument(help="What you downloaded: a folder with files and zips as they came, or one zip.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for <student>/<notebook>/<notebook>.ipynb, which `grade` takes.")],
    pattern: Annotated[
        str | None,
        typer.Option(
            help="For other names: an expression with (?P<student_id>...), perhaps (?P<timestamp>...) and (?P<file_id>...)."
        ),
    ] = None,
):
    """Bring downloads from Canvas, Moodle, Gradescope or nbgrader into the layout for grading; the newest version counts."""
    from autograder.handover.collect import ACCOUNT
    from autograder.handover.collect import collect as bring

    result = bring(downloads, out, pattern)
    for title, kinds in (("Not placed", ["not placed"]), ("Kept as it is", ["kept"]), ("Not chosen", ["older"])):
        for number, outcome in enumerate(result.of(*kinds)):
            if not number:
                console.print(f"{title}:", style="bold")
            console.print(f"  {outcome.source}: {outcome.why}", soft_wrap=True, highlight=False, markup=False)
    counts = {kind: len(result.of(kind)) for kind in ("new", "updated", "unchanged", "kept", "older", "not placed")}
    console.print(", ".join(f"{count} {kind}" for kind, count in counts.items()), highlight=False)
    console.print(f"Every file and what became of it: {out / ACCOUNT}", soft_wrap=True, highlight=False)


@app.command()
def totals(out: Annotated[Path, typer.Argument(help="Folder that `grade` wrote.")]):
    """Each student's total in the course, out of 100; kept in OUT/totals.csv."""
    from autograder.handover.marks import marks, reachable, write_totals
    from autograder.handover.marks import totals as total_of_each

    rows = marks(out)
    lines = total_of_each(rows)
    slugs = sorted({slug for line in lines for slug in line.parts})
    title = f"Totals, {reachable(rows):g} of 100 graded so far; * may still change"
    table = Table("student", *(slug[:2] for slug in slugs), "total", title=title)
    for line in lines:
        parts = (
            f"{line.parts[slug]:.2f}{'*' * (slug in line.provisional)}" if slug in line.parts else "" for slug in slugs
        )
        table.add_row(escape(line.student), *parts, f"{line.total:.2f}{'*' * bool(line.provisional)}")
    console.print(table)
    console.print(f"Table: {write_totals(out, rows)}", soft_wrap=True, highlight=False)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="Folder that `grade` wrote.")],
    form: Annotated[str, typer.Option("--format", help="canvas, moodle, csv or xlsx.")] = "csv",
    roster: Annotated[Path | None, typer.Option(help="The platform's list of students, as CSV.")] = None,
    to: Annotated[Path | None, typer.Option(help="File to write, instead of one in OUT.")] = None,
    only_final: Annotated[bool, typer.Option(help="Leave out marks that may still change.")] = False,
):
    """Write the marks for a learning platform's gradebook, or as a table."""
    from autograder.handover.export import export as write

    done = write(out, form, roster, to, only_final)
    for note in done.notes:
        console.print(note, soft_wrap=True, highlight=False, markup=False)
    for student, why in done.unmatched.items():
        console.print(f"Not matched: {student} ({why})", style="bold", soft_wrap=True, highlight=False, markup=False)
    for name in done.without_marks:
        console.print(f"On the list, without marks: {name}", soft_wrap=True, highlight=False, markup=False)
    label = "Left out" if only_final else "Provisional"
    for student, reasons in list(done.provisional.items())[:SHOWN]:
        text = "; ".join(f"{slug}: {why}" for slug, why in reasons.items())
        console.print(f"{label}: {student}, {text}", soft_wrap=True, highlight=False, markup=False)
    if len(done.provisional) > SHOWN:
        console.print(
            f"{label}: {len(done.provisional) - SHOWN} more students; `totals` names them all", highlight=False
        )
    console.print(f"Marks: {done.path}", soft_wrap=True, highlight=False)


@app.command()
def similarity(
    submissions: Annotated[Path, typer.Argument(help="Folder with <student>/<notebook>/<notebook>.ipynb.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = BUILD / "similarity.html",
    least: Annotated[
        float, typer.Option(help="Show pairs from this share of the shorter one's own code, 0 to 1.")
    ] = 0.3,
):
    """Show pairs of submissions that share more than the course gave them, passages side by side. It accuses nobody."""
    from autograder.grading.results import write_whole
    from autograder.handover.similarity import similar_pairs
    from autograder.handover.similarity_page import similarity_page

    with progress_bar() as bar:
        task = bar.add_task("comparing", total=None)
        pairs, compared = similar_pairs(
            submissions, least, lambda done, total: bar.update(task, completed=done, total=total)
        )
    try:
        write_whole(out, similarity_page(pairs, compared))
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from None
    for pair in pairs[:SHOWN]:
        names = escape(f"{pair.left}, {pair.right}")
        console.print(
            f"{pair.slug}: {names}: {100 * pair.share:.0f} % alike ({pair.look})", soft_wrap=True, highlight=False
        )
    console.print(f"{compared} pairs compared, {len(pairs)} to read: {out.resolve()}", soft_wrap=True, highlight=False)


@app.command()
def release(
    dest: Annotated[Path, typer.Argument(help="Folder of the public repository; new, empty, or an earlier release.")],
    instructor: Annotated[
        Path, typer.Option(help="Folder for nbgrader's course and Gradescope's zips, which hold hidden cases.")
    ] = BUILD / "release",
    public_only: Annotated[bool, typer.Option(help="Leave out what goes to --instructor.")] = False,
):
    """Write what students get, ready to be pushed as the public course repository, and what your platforms take."""
    from autograder.handover.release import release as write
    from autograder.paths import BRANCH, REPOSITORY

    done = write(
        dest, None if public_only else instructor, lambda line: console.print(line, soft_wrap=True, highlight=False)
    )
    for name in done.kept:
        console.print(f"Kept, as somebody changed it: {dest / name}", style="bold", soft_wrap=True, highlight=False)
    if done.instructor:
        console.print(
            f"For nbgrader and Gradescope, not for students: {done.instructor}", soft_wrap=True, highlight=False
        )
    console.print(f"Push {dest} to https://github.com/{REPOSITORY}, branch {BRANCH}", soft_wrap=True, highlight=False)
