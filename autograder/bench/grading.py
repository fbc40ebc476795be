"""Our grader against `otter run` and `nbgrader autograde` on the same submissions, two workers against one, ten submissions against many."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from autograder.doors.nbgrader import write_course
from autograder.doors.otter import write_assignment
from autograder.paths import FULL_KEYS, ROOT
from autograder.sample import CLASS, write_sample

SLUG = "06_attention"
COPIES, OTHERS, FEW, MANY = 200, 20, 10, 1000
LOOK = 0.5  # seconds between two looks at memory
LEFT_OUT = ("jana_endless_loop",)  # it would measure time limits
GRAMMAR = "rfc3987_syntax"  # jsonschema's optional URI grammar, which JupyterLab brings along: nbformat builds it at every start


def environment() -> dict:
    """For all three tools, as they are installed: one thread, and the venv's commands."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DLCOURSE_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}


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


def otter(count: int) -> float:
    """CPU seconds a submission of `otter run`."""
    with tempfile.TemporaryDirectory() as name:
        folder, archive = Path(name), write_assignment(SLUG) / "autograder.zip"
        cpu = 0.0
        for notebook in sorted(copies(folder, count).glob(f"*/{SLUG}/*.ipynb")):
            command = ["otter", "run", "-a", str(archive), "-o", str(folder), str(notebook)]
            cpu += measured(command, folder, environment())[0]
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


def grammar() -> float:
    """CPU seconds that building the URI grammar takes, in every process that reads a notebook by nbformat."""
    seconds = [measured([sys.executable, "-c", code], ROOT, environment())[0] for code in (f"import {GRAMMAR}", "pass")]
    return seconds[0] - seconds[1]


def grading_figures(report) -> dict:
    """The ratios that the grader is built for."""
    few, one = ours(FEW, 1), ours(COPIES, 1)
    start = (few[0] * COPIES - one[0] * FEW) / (COPIES - FEW)  # what a run costs before its first submission
    mine, each = one[0] / COPIES, (one[0] - start) / COPIES
    report(f"ours: {mine:.3f} CPU seconds a submission ({COPIES} submissions, {one[0]:.1f} in all, of them {start:.1f} to start)")
    theirs = {"otter run": otter(OTHERS), "nbgrader autograde": nbgrader(OTHERS)}
    for tool, seconds in theirs.items():
        report(f"{tool}: {seconds:.2f} CPU seconds a submission, {seconds / mine:.1f} times ours")
    extra = grammar()
    report(f"of these, {extra:.2f} build jsonschema's URI grammar, for each submission in otter and once in a run of ours; without it "
           f"otter takes {(theirs['otter run'] - extra) / (mine - extra / COPIES):.1f} times ours")  # fmt: skip
    two = ours(COPIES, 2)
    report(f"two workers: {one[1] / two[1]:.2f} times as fast as one; {two[2]:.0f} MB a worker")
    each_of_many = (ours(MANY, 1)[0] - start) / MANY
    report(f"without the start: {each:.3f} CPU seconds for each of {COPIES} submissions, {each_of_many:.3f} for each of {MANY}")
    return {
        "ours_cpu": mine, "start_cpu": start, "grammar_cpu": extra, "speedup_two_workers": one[1] / two[1], "memory_mb_a_worker": two[2],
        "cpu_each": each, "cpu_each_of_many": each_of_many, **{f"{tool}_cpu": seconds for tool, seconds in theirs.items()},
    }  # fmt: skip
