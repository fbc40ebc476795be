"""`make bench`: what reference runs and checks cost on this machine; kept in build/bench.json."""

import json
import statistics
import time
from pathlib import Path

from autograder.build.answers import namespace_with
from autograder.build.execute import execute_notebook
from autograder.build.record import key_paths
from autograder.build.write import load
from autograder.paths import BUILD
from dlcourse.checks import run_exercise
from dlcourse.checks.key import read_key

REPEATS = 20
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


def bench(slugs: list[str], report) -> Path:
    """Measure the notebooks, report line by line, and return the file with all figures."""
    figures = {}
    for slug in slugs:
        run = execute_notebook(slug)
        latencies = check_latencies(slug)
        figures[slug] = {"cpu_seconds": run.cpu_seconds, "wall_seconds": run.wall_seconds, "checks": latencies}
        report(f"{slug}: reference run {run.cpu_seconds:.1f} CPU seconds")
        for exercise, entry in latencies.items():
            report(f"    check {exercise}: median {entry['median_ms']:.0f} ms, 95 % within {entry['p95_ms']:.0f} ms")
    path = BUILD / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1))
    return path
