"""Our grader against `otter run` and `nbgrader autograde` on the same submissions, two workers against one, ten submissions against many."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from autograder.doors.nbgrader import write_course
from autograder.doors.otter import write_assignment
from autograder.grading.assignment import load_assignment
from autograder.grading.notebook import code_cells, read_cells
from autograder.grading.running import observe
from autograder.grading.sandbox import Sandbox, modules_of_notebooks
from autograder.paths import FULL_KEYS, ROOT
from autograder.sample import CLASS, write_sample

SLUG = "06_attention"
COPIES, OTHERS, FEW, MANY = 200, 20, 10, 1000
LOOK = 0.5  # seconds between two looks at memory
PERFECT = "ada_perfect"
LEFT_OUT = ("jana_endless_loop",)  # it would measure time limits
GRAMMAR = "rfc3987_syntax.py"  # jsonschema's optional URI grammar, which comes with JupyterLab; nbformat builds it at every start


def environment(instead: Path | None = None) -> dict:
    """For all three tools, as they are installed: one thread, and the venv's commands; modules in the folder `instead` come first."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        **os.environ, "PATH": path, "PYTHONPATH": f"{instead}:{ROOT}" if instead else str(ROOT),
        "OMP_NUM_THREADS": "1", "DLCOURSE_OFFLINE": "1", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip


def measured(command: list[str], folder: Path, variables: dict) -> tuple[float, float, float]:
    """Run a command: CPU seconds of all its processes, wall seconds, and the largest proportional memory (MB) of its children together."""
    before, start, peak, sealed = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), 0.0, {}
    process = psutil.Popen(command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        try:
            process.wait(LOOK)
            break
        except psutil.TimeoutExpired:
            children = process.children(recursive=True)
            peak = max(peak, sum(proportional_memory(child) for child in children))
            sealed |= {child: sum(child.cpu_times()[:4]) for child in children if _unseen(child)}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu + sum(sealed.values()), time.monotonic() - start, peak


def _unseen(process: psutil.Process) -> bool:
    """Whether bubblewrap started it: it does not wait for what it starts, so that the system's own account leaves it out."""
    try:
        return process.name() != "bwrap" and process.parent().name() == "bwrap"
    except (psutil.Error, AttributeError):
        return False


def proportional_memory(process: psutil.Process) -> float:
    """Memory of a process in MB, what it shares with others counted in parts; 0 if it has ended."""
    try:
        return process.memory_full_info().pss / 2**20
    except psutil.Error:
        return 0.0


def copies(folder: Path, count: int) -> Path:
    """`count` submissions, the sample class again and again."""
    write_sample(folder / "class", [SLUG])
    students = [student for student in CLASS if student not in LEFT_OUT]
    for number in range(count):
        student = students[number % len(students)]
        shutil.copytree(folder / "class" / student, folder / "many" / f"{number:05}_{student}")
    shutil.rmtree(folder / "class")
    return folder / "many"


def ours(count: int, workers: int) -> tuple[float, float, float]:
    """CPU and wall seconds for grading `count` submissions, and memory a worker in MB."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "autograder", "grade", str(copies(folder, count)), "--out", str(folder / "out"), "--workers", str(workers)]
        cpu, wall, memory = measured(command, folder, environment())
        if not (folder / "out" / "grades.csv").exists():
            raise RuntimeError("our grader gave no grades")
        return cpu, wall, memory / workers


def otter(count: int, grammar: bool = True) -> float:
    """CPU seconds a submission of `otter run`, perhaps without the URI grammar that its processes build."""
    with tempfile.TemporaryDirectory() as name:
        if not grammar:
            Path(name, GRAMMAR).write_text('raise ImportError("not needed")\n')
        folder, archive = Path(name), write_assignment(SLUG) / "autograder.zip"
        cpu = 0.0
        for notebook in sorted(copies(folder, count).glob(f"*/{SLUG}/*.ipynb")):
            command = ["otter", "run", "-a", str(archive), "-o", str(folder), str(notebook)]
            cpu += measured(command, folder, environment(None if grammar else folder))[0]
        return cpu / count


def nbgrader(count: int) -> float:
    """CPU seconds a submission of `nbgrader autograde` in one batch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(write_course([SLUG]), folder / "course", ignore=shutil.ignore_patterns("gradebook.db", "submitted", "autograded", "release"))
        course, variables = folder / "course", environment() | {"DLCOURSE_KEYS": str(FULL_KEYS)}
        measured(["nbgrader", "generate_assignment", SLUG], course, variables)
        shutil.move(copies(folder, count), course / "submitted")
        cpu, _, _ = measured(["nbgrader", "autograde", SLUG], course, variables)
        if not any((course / "autograded").glob("*")):
            raise RuntimeError("nbgrader graded nothing")
        return cpu / count


def floor() -> tuple[float, float]:
    """Wall seconds of a fresh sealed child that does nothing, and of one that runs a complete submission's cells and hidden cases."""
    assignment, sandbox = load_assignment(SLUG), Sandbox(modules=modules_of_notebooks([SLUG]))
    with tempfile.TemporaryDirectory() as name:
        write_sample(Path(name), [SLUG])
        notebook = (Path(name) / PERFECT / SLUG / f"{SLUG}.ipynb").read_bytes()
    cells = [cell for cell in code_cells(read_cells(notebook, assignment.demos)) if not cell.demo]

    def seconds(keys):
        start = time.monotonic()
        observe(sandbox, cells if keys else [], keys, {})
        return time.monotonic() - start

    times = [[seconds(keys) for _ in range(FEW)] for keys in ([], assignment.keys)]
    sandbox.close()
    return statistics.median(times[0]), statistics.median(times[1])


def grading_figures(report) -> dict:
    """The ratios that the grader is built for."""
    few, one = ours(FEW, 1), ours(COPIES, 1)
    start, wait = [(few[unit] * COPIES - one[unit] * FEW) / (COPIES - FEW) for unit in (0, 1)]  # CPU and wall seconds before the first submission
    mine, each = one[0] / COPIES, (one[0] - start) / COPIES
    child, complete = floor()
    report(f"ours: {mine:.3f} CPU seconds a submission ({COPIES} submissions, {one[0]:.1f} in all, of them {start:.1f} to start)")
    report(f"a complete submission: {complete:.3f} seconds for its own code on the hidden cases in a fresh child, who alone takes {child:.3f}")
    theirs = {"otter run": otter(OTHERS), "nbgrader autograde": nbgrader(OTHERS)}
    for tool, seconds in theirs.items():
        report(f"{tool}: {seconds:.2f} CPU seconds a submission, {seconds / mine:.1f} times ours")
    bare = otter(FEW, grammar=False)
    report(f"otter run without jsonschema's URI grammar, which we never load: {bare:.2f}, {bare / mine:.1f} times ours")
    two = ours(COPIES, 2)
    speedup, steady = one[1] / two[1], (one[1] - wait) / (two[1] - wait)
    report(f"two workers: {steady:.2f} times as fast as one, {speedup:.2f} times with the {wait:.1f} seconds before the first submission; "
           f"{two[2]:.0f} MB a worker")  # fmt: skip
    each_of_many = (ours(MANY, 1)[0] - start) / MANY
    report(f"without the start: {each:.3f} CPU seconds for each of {COPIES} submissions, {each_of_many:.3f} for each of {MANY}")
    return {
        "ours_cpu": mine, "start_cpu": start, "child_wall": child, "complete_wall": complete, **{f"{tool}_cpu": seconds for tool, seconds in theirs.items()},
        "otter run without the grammar_cpu": bare, "speedup_two_workers": steady, "speedup_with_start": speedup, "memory_mb_a_worker": two[2],
        "cpu_each": each, "cpu_each_of_many": each_of_many,
    }  # fmt: skip
