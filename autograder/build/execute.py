"""Executing notebooks from top to bottom, in a kernel of their own."""

import itertools
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from autograder.build.notebooks import solution_notebook, student_notebook
from autograder.build.write import load
from autograder.paths import BUILD, UserError

CELL_SECONDS = 600
MEASURE = "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"  # Linux counts in kB


@dataclass(frozen=True)
class Execution:
    """How a run went: CPU and wall seconds, the kernel's peak memory, points of its checks, where the executed notebook is."""

    slug: str
    cpu_seconds: float
    wall_seconds: float
    peak_memory_mb: float
    points: float
    max_points: float
    path: Path

    def sentence(self) -> str:
        """For the terminal."""
        return (
            f"{self.slug}: {self.cpu_seconds:.0f} CPU seconds, {self.wall_seconds:.0f} seconds, checks gave {self.points:g} of {self.max_points:g} "
            f"points: {self.path}"
        )


def execute_all(slugs: list[str], untouched: bool, jobs: int) -> Iterator[Execution]:
    """Execute several notebooks, so many at a time, and yield how each run went, in their order.

    Raises:
        UserError: see `execute_notebook`.
    """
    with ProcessPoolExecutor(min(jobs, len(slugs)), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(execute_notebook, slugs, itertools.repeat(untouched))


def execute_notebook(slug: str, untouched: bool = False) -> Execution:
    """Execute a reference notebook, or the student's one as it is handed out.

    Raises:
        UserError: a cell fails, takes too long, ends its kernel or writes to stderr, the reference does not get all points, or the untouched notebook gets any.
    """
    master, exercises = load(slug)
    notebook = student_notebook(master, exercises) if untouched else solution_notebook(master, exercises)
    path = BUILD / ("untouched" if untouched else "solutions") / f"{slug}.ipynb"
    os.environ.setdefault("DLCOURSE_OFFLINE", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # several threads for each of several kernels would fight for the cores
    start, used = time.monotonic(), _children()
    # the kernel's own count: that of this process would be of its largest child ever
    notebook.cells.append(nbformat.v4.new_code_cell(MEASURE, id="peak_memory"))
    with tempfile.TemporaryDirectory() as folder:  # what a notebook writes, such as a checkpoint, does not stay
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources)
        try:
            client.execute()
        except CellExecutionError as error:
            raise UserError(f"{slug}: a cell fails: {error}") from None
        except CellTimeoutError as error:
            raise UserError(f"{slug}: a cell did not end within {CELL_SECONDS} seconds: {error}") from None
        except DeadKernelError:
            raise UserError(f"{slug}: the kernel that ran it is gone: ended from outside, or out of memory; run it again, with --jobs 1") from None
    wall, cpu = time.monotonic() - start, _children() - used
    memory = float(notebook.cells.pop().outputs[0].text)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    if noise := _stderr(notebook):
        raise UserError(f"{slug}: a cell writes to stderr: {noise[:500]}")
    points = _points(notebook)
    maximum = sum(exercise.points for exercise in exercises if exercise.kind != "written")
    wanted = 0 if untouched else maximum
    if abs(points - wanted) > 1e-6:
        raise UserError(f"{slug}: the checks gave {points:g} points, not {wanted:g}: look at {path}")
    return Execution(slug, cpu, wall, memory, points, maximum, path)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _stderr(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stderr")


def _points(notebook: nbformat.NotebookNode) -> float:
    """What the check cells gave, read as nbgrader reads it."""
    checks = [cell for cell in notebook.cells if cell.id.endswith("_check")]
    results = [output for cell in checks for output in cell.outputs if output.output_type == "execute_result"]
    return sum(float(output.data["text/plain"]) for output in results)
