"""Pages made from results: one for each student's notebook, one for the class. No network is needed to read them."""

from collections import Counter, defaultdict

from jinja2 import Environment

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; margin: 1em 0; }
th, td { text-align: left; padding: .3em .6em; border-bottom: 1px solid #8886; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
.bar { display: inline-block; height: .8em; background: #0072b2; vertical-align: baseline; }
"""
PAGES = Environment(autoescape=True)
STUDENT = PAGES.from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ record.notebook }}</title><style>{{ style }}</style></head><body>
<h1>{{ record.notebook }}</h1>
<p>{{ record.student }}: {{ "%g" | format(points) }} of {{ "%g" | format(maximum) }} points{{ by_hand }}.</p>
{% for entry in record.exercises %}<h2>{{ entry.exercise }}</h2>
{% if entry.html %}{{ entry.html | safe }}{% else %}<p>{{ entry.status }}{{ ": " + entry.message if entry.message else "" }}</p>{% endif %}
{% endfor %}</body></html>
""")
CLASS = PAGES.from_string("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Report of the class</title><style>{{ style }}</style></head><body>
<h1>Report of the class</h1>
<h2>Marks</h2><div class="wide"><table><caption>Points earned so far by each student; written answers count once they are graded</caption>
<thead><tr><th scope="col">student</th>{% for slug in slugs %}<th scope="col" class="number">{{ slug }}</th>{% endfor %}
<th scope="col">to look at</th></tr></thead><tbody>
{% for student in students %}<tr><th scope="row">{{ student.name }}</th>
{% for points in student.points %}<td class="number">{{ points }}</td>{% endfor %}<td>{{ student.remarks }}</td></tr>
{% endfor %}</tbody></table></div>
<h2>Exercises</h2><div class="wide"><table><caption>Share of the points that the class earned</caption>
<thead><tr><th scope="col">notebook</th><th scope="col">exercise</th><th scope="col" class="number">earned</th><th scope="col"></th>
<th scope="col">statuses</th></tr></thead><tbody>
{% for item in exercises %}<tr><td>{{ item.notebook }}</td><th scope="row">{{ item.exercise }}</th>
<td class="number">{{ item.percent }} %</td><td style="width:12em"><span class="bar" style="width:{{ item.percent }}%"></span></td>
<td>{{ item.statuses }}</td></tr>
{% endfor %}</tbody></table></div>
<h2>Misconceptions</h2><div class="wide"><table><caption>Which known mistakes the answers look like, and how many students made them</caption>
<thead><tr><th scope="col">exercise</th><th scope="col" class="number">students</th><th scope="col">what it looks like</th></tr></thead><tbody>
{% for item in mistakes %}<tr><th scope="row">{{ item.exercise }}</th><td class="number">{{ item.count }}</td>
<td>{{ item.says }}</td></tr>{% else %}<tr><td colspan="3">none</td></tr>{% endfor %}</tbody></table></div></body></html>
""")


def student_page(record: dict) -> str:
    """The page of one submission; `record` is what batch keeps of it."""
    entries = record["exercises"]
    pending = sum(entry["status"] == "manual" for entry in entries)
    by_hand = f"; {pending} written answers are still to be graded" if pending else ""
    return STUDENT.render(
        record=record, style=STYLE, by_hand=by_hand,
        points=sum(entry["points"] for entry in entries), maximum=sum(entry["max_points"] for entry in entries),
    )  # fmt: skip


def class_page(rows: list[dict], says: dict[tuple[str, str], str]) -> str:
    """The instructor's page.

    Args:
        rows: of grades.csv.
        says: the sentence of each misconception, by notebook and id.
    """
    slugs = sorted({row["notebook"] for row in rows})
    return CLASS.render(
        style=STYLE, slugs=slugs, students=class_table(rows), exercises=_exercises(rows), mistakes=_mistakes(rows, says)
    )


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


def _exercises(rows: list[dict]) -> list[dict]:
    groups: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for row in rows:
        groups[row["notebook"], row["exercise"]].append(row)
    return [
        {"notebook": notebook, "exercise": exercise,
         "percent": round(100 * sum(row["points"] for row in group) / sum(row["max_points"] for row in group)),
         "statuses": ", ".join(f"{count} {status}" for status, count in Counter(row["status"] for row in group).most_common())}
        for (notebook, exercise), group in groups.items()
    ]  # fmt: skip


def _mistakes(rows: list[dict], says: dict[tuple[str, str], str]) -> list[dict]:
    counts = Counter((row["notebook"], row["exercise"], row["hint"]) for row in rows if row["hint"])
    return [
        {"exercise": exercise, "count": count, "says": says.get((notebook, hint), hint)}
        for (notebook, exercise, hint), count in counts.most_common()
    ]
