"""The command line: `python -m autograder COMMAND`."""

import functools
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from autograder.paths import BUILD, UserError, require_slug, written_slugs

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Build and grade the course."
)
console = Console()
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
):
    """Execute notebooks from top to bottom; they are kept with their outputs in build/."""
    from autograder.build.execute import execute_notebook

    for slug in chosen(slugs):
        console.print(f"{slug} ...", end=" ")
        console.print(execute_notebook(slug, untouched).sentence(), soft_wrap=True, highlight=False)


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
    for student in class_table(rows):
        table.add_row(student["name"], *student["points"], student["remarks"])
    console.print(table)
    console.print(f"Report: {(out / 'report.html').resolve()}", soft_wrap=True, highlight=False)


@app.command()
def bench(slugs: Slugs = None):
    """Measure reference runs and checks, and keep the figures in build/bench.json."""
    from autograder.bench import bench as measure

    path = measure(chosen(slugs), lambda line: console.print(line, highlight=False))
    console.print(f"Figures: {path}", soft_wrap=True, highlight=False)
