"""What reference runs and checks cost."""

import re
import statistics
import time
from pathlib import Path

import nbformat

from autograder.build.answers import namespace_with
from autograder.build.execute import execute_notebook
from autograder.build.record import key_paths
from autograder.build.write import load
from autograder.paths import UserError
from dlcourse.checks import run_exercise
from dlcourse.checks.key import read_key

REPEATS = 20
HEADLINES = {
    "01_fundamentals": r"validation accuracy [\d.]+ %", "02_ann": r"final: test accuracy [\d.]+ %", "03_cnn": r"validation accuracy [\d.]+ %",
    "04_rnn": r"GRU, open gate .*", "05_lstm_gru": r"right on [\d.]+ % of \d+ test sentences", "06_attention": r"hidden words guessed: [\d.]+%",
    "07_transformers": r"held out: [\d.]+ % right", "08_comparison": r"CNN and GRU reach \d+ to \d+ %",
    "09_final_project": r"cnn: [\d.]+ % of [\d,]+ test samples",
}  # fmt: skip
LONG = 2.0  # seconds: a check that trains is not repeated 20 times


def check_latencies(slug: str) -> dict[str, dict[str, float]]:
    """Milliseconds that `check` takes for each exercise's reference answer: median and 95th percentile."""
    master, exercises = load(slug)
    namespace, latencies = namespace_with(master, {}), {}
    for exercise in exercises:
        if exercise.kind == "written":
            continue
        key, times = read_key(key_paths(slug, exercise.id)[1]), []
        while len(times) < REPEATS and (not times or times[0] < LONG):
            start = time.perf_counter()
            run_exercise(key, namespace)
            times.append(time.perf_counter() - start)
        worst = sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]
        latencies[exercise.id] = {"median_ms": 1000 * statistics.median(times), "p95_ms": 1000 * worst, "runs": len(times)}
    return latencies


def headline(slug: str, path: Path) -> str:
    """The accuracy that a notebook is about, as its executed reference prints it."""
    if slug not in HEADLINES:
        return "none"
    texts = [output.text for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", []) if "text" in output]
    found = re.findall(HEADLINES[slug], "".join(texts))
    if not found:
        raise UserError(f"{slug}: no output matches {HEADLINES[slug]!r}, which autograder/bench/notebooks.py looks for")
    return found[-1]


def notebook_figures(slugs: list[str], report) -> dict:
    """CPU seconds, peak memory and headline of each reference run, and how long checks take."""
    figures = {}
    for slug in slugs:
        run = execute_notebook(slug)
        latencies, line = check_latencies(slug), headline(slug, run.path)
        figures[slug] = {
            "cpu_seconds": run.cpu_seconds, "wall_seconds": run.wall_seconds, "peak_memory_mb": run.peak_memory_mb, "headline": line,
            "checks": latencies,
        }  # fmt: skip
        report(f"{slug}: reference run {run.cpu_seconds:.1f} CPU seconds, at most {run.peak_memory_mb:.0f} MB; {line}")
        for exercise, entry in latencies.items():
            report(f"    check {exercise}: median {entry['median_ms']:.0f} ms, 95 % within {entry['p95_ms']:.0f} ms")
    report(f"all: {sum(entry['cpu_seconds'] for entry in figures.values()):.0f} CPU seconds")
    return figures
