"""Pages made from results: one for each student's notebook, one for the class. No network is needed to read them."""

import statistics
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader

PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True)
BINS = 10
BAR_HEIGHT = 110
BAD_ENDS = ("error", "timeout", "missing", "unanswered", "flagged")


def student_page(record: dict) -> str:
    """The page of one submission; `record` is what batch keeps of it, with marks."""
    entries = record["exercises"]
    pending = sum(entry["status"] == "manual" for entry in entries)
    by_hand = f"; to be graded by hand: {pending}" if pending else ""
    return PAGES.get_template("student.html").render(
        record=record, by_hand=by_hand,
        points=sum(entry["points"] for entry in entries), maximum=sum(entry["max_points"] for entry in entries),
    )  # fmt: skip


def class_page(records: list[dict], says: dict[tuple[str, str], str]) -> str:
    """The instructor's page.

    Args:
        records: of all submissions, with marks.
        says: the sentence of each misconception, by notebook and id.
    """
    rows = rows_of(records)
    return PAGES.get_template("class.html").render(
        slugs=sorted({record["notebook"] for record in records}), submissions=len(records), students=class_table(rows),
        distributions=_distributions(records), exercises=_exercises(records), mistakes=_mistakes(rows, says), failures=_failures(rows),
        flagged=[row for row in rows if row["status"] == "flagged"], pending=sum(row["status"] == "manual" for row in rows),
        times=_times(records),
    )  # fmt: skip


def rows_of(records: list[dict]) -> list[dict]:
    """One dict for each exercise of each submission."""
    return [
        {"student": record["student"], "notebook": record["notebook"], **entry}
        for record in records
        for entry in record["exercises"]
    ]


def class_table(rows: list[dict]) -> list[dict]:
    """For each student: name, "points / maximum" of each notebook (a dash if not handed in), and what should be looked at."""
    slugs = sorted({row["notebook"] for row in rows})
    sums: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    odd: dict[str, Counter] = defaultdict(Counter)
    for row in rows:
        entry = sums[row["student"]][row["notebook"]]
        entry[0] += row["points"]
        entry[1] += row["max_points"]
        if row["status"] in ("error", "timeout", "flagged", "missing", "manual"):
            odd[row["student"]][row["status"]] += 1
    return [
        {"name": student, "points": [_fraction(notebooks.get(slug)) for slug in slugs],
         "remarks": ", ".join(f"{count} {status}" for status, count in sorted(odd[student].items()))}
        for student, notebooks in sorted(sums.items())
    ]  # fmt: skip


def _fraction(entry: list[float] | None) -> str:
    return f"{round(entry[0], 2):g} / {entry[1]:g}" if entry else "–"


def _by_notebook(records: list[dict]) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = defaultdict(list)
    for record in records:
        groups[record["notebook"]].append(record)
    return dict(sorted(groups.items()))


def _distributions(records: list[dict]) -> list[dict]:
    """A histogram of the percentages earned, for each notebook."""
    charts = []
    for notebook, group in _by_notebook(records).items():
        maximum = sum(entry["max_points"] for entry in group[0]["exercises"])
        shares = [100 * sum(entry["points"] for entry in record["exercises"]) / maximum for record in group]
        counts = Counter(min(BINS - 1, int(share * BINS / 100)) for share in shares)
        highest = max(counts.values())
        bars = []
        for number in range(BINS):
            count = counts[number]
            height = BAR_HEIGHT * count / highest
            title = f"{100 * number // BINS} to {100 * (number + 1) // BINS} percent: {count}"
            bars.append({"x": 12 + 40 * number, "y": round(130 - height, 1), "height": round(height, 1), "count": count, "title": title})
        words = f"{notebook}: {len(group)} submissions, median {statistics.median(shares):.0f} percent of the points"
        description = words + ". " + "; ".join(bar["title"] for bar in bars if bar["count"])
        charts.append({"title": words, "description": description, "bars": bars})
    return charts


def _exercises(records: list[dict]) -> list[dict]:
    items = []
    for notebook, group in _by_notebook(records).items():
        points = np.array([[entry["points"] for entry in record["exercises"]] for record in group])
        for number, entry in enumerate(group[0]["exercises"]):
            statuses = Counter(record["exercises"][number]["status"] for record in group)
            items.append({
                "notebook": notebook, "exercise": entry["exercise"],
                "percent": round(100 * points[:, number].sum() / (entry["max_points"] * len(group))),
                "discrimination": _discrimination(points, number),
                "statuses": ", ".join(f"{count} {status}" for status, count in statuses.most_common()),
            })  # fmt: skip
    return items


def _discrimination(points: np.ndarray, number: int) -> str:
    """Item-rest correlation: of one column with the sum of the others; a dash where one of the two does not vary."""
    item, rest = points[:, number], points.sum(axis=1) - points[:, number]
    if len(points) < 3 or np.ptp(item) < 1e-9 or np.ptp(rest) < 1e-9:
        return "–"
    return f"{np.corrcoef(item, rest)[0, 1]:.2f}"


def _mistakes(rows: list[dict], says: dict[tuple[str, str], str]) -> list[dict]:
    """Misconceptions, the most frequent first, each with one answer that looks like it; nothing says whose."""
    groups: dict[tuple[str, str, str], list[dict]] = defaultdict(list)
    handed_in = Counter((row["notebook"], row["exercise"]) for row in rows)
    for row in rows:
        if row["hint"]:
            groups[row["notebook"], row["exercise"], row["hint"]].append(row)
    return [
        {"exercise": exercise, "count": len(group), "percent": round(100 * len(group) / handed_in[notebook, exercise]),
         "says": says.get((notebook, hint), hint), "example": min((row["answer"] for row in group), key=len)}
        for (notebook, exercise, hint), group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]  # fmt: skip


def _failures(rows: list[dict]) -> list[dict]:
    items = []
    for kind in BAD_ENDS:
        exercises = Counter(row["exercise"] for row in rows if row["status"] == kind)
        if exercises:
            names = ", ".join(f"{name} ({count})" for name, count in exercises.most_common(8))
            items.append({"kind": kind, "count": sum(exercises.values()), "exercises": names})
    return items


def _times(records: list[dict]) -> list[dict]:
    items = []
    for notebook, group in _by_notebook(records).items():
        seconds = [record["seconds"] for record in group]
        items.append({"notebook": notebook, "median": f"{statistics.median(seconds):.1f}", "longest": f"{max(seconds):.1f}"})
    return items
