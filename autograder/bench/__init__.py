"""`make bench`: what the course costs on this machine, measured side by side in one run; kept in build/bench.json."""

import json
from pathlib import Path

from autograder.paths import BUILD

PARTS = ("notebooks", "training", "grading")


def bench(slugs: list[str], parts: list[str], report) -> Path:
    """Measure, report line by line, and return the file with all figures. What is not measured this time stays in the file.

    Args:
        slugs: notebooks whose reference runs and checks are measured.
        parts: of `PARTS`.
        report: called with each line.
    """
    from autograder.bench.grading import grading_figures
    from autograder.bench.notebooks import notebook_figures
    from autograder.bench.training import training_figures

    measure = {"notebooks": lambda: notebook_figures(slugs, report), "training": lambda: training_figures(report), "grading": lambda: grading_figures(report)}
    path = BUILD / "bench.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    for part in parts:
        report(f"== {part}")
        figures[part] = measure[part]()
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(figures, indent=1))
    return path
