"""A verdict for people: HTML for notebooks (light, dark, screen readers), text for everything else."""

from html import escape

from dlcourse.checks.compare import show
from dlcourse.checks.verdict import CaseVerdict, PartVerdict, Verdict

MARKS = {True: "✓", False: "✗"}
LATER = "These are the public cases. When your work is graded, the same parts are checked again on other inputs, and those give the points."
ELSEWHERE = "It passes on the public cases, but not on other inputs, and those give the points: think of other sizes, dtypes and edge cases."
STATUS = {
    "passed": "all parts pass",
    "partial": "some parts pass",
    "failed": "not right yet",
    "error": "an error stopped it",
    "timeout": "it took too long",
    "unanswered": "not answered yet",
    "missing": "not found",
}
# Colours of the bar alone: 3 to 1 on white and on JupyterLab's dark grey (no hue reaches the 4.5 of text on both). Words carry the meaning.
GREEN, RED, GREY = "#0a7f5a", "#c2410c", "#6b7280"
CARD = "border-left:4px solid {colour};padding:.5em .9em;margin:.3em 0;max-width:60em;font-size:14px;line-height:1.5;color:inherit"


class Result:
    """What `check` returns. Its repr is the points as a float, because nbgrader reads that as partial credit."""

    def __init__(self, verdict: Verdict | None = None, problem: str = ""):
        self.verdict, self.problem = verdict, problem

    @property
    def points(self) -> float:
        """Points earned; 0 where nothing could be checked."""
        return float(self.verdict.points) if self.verdict else 0.0

    @property
    def text(self) -> str:
        """The whole answer in plain text."""
        return verdict_text(self.verdict) if self.verdict else self.problem

    def __repr__(self) -> str:
        return str(self.points)

    def _repr_html_(self) -> str:
        if self.verdict is None:
            return f'<section style="{CARD.format(colour=RED)}">{escape(self.problem)}</section>'
        return verdict_html(self.verdict)


def headline(verdict: Verdict) -> str:
    """For example "adam: some parts pass, 1 of 2 points"."""
    points = f"{round(verdict.points, 2):g} of {verdict.max_points:g} point{'' if verdict.max_points == 1 else 's'}"
    return f"{verdict.exercise}: {STATUS[verdict.status]}, {points}"


def closing(verdict: Verdict) -> str:
    """What the student should know about the points shown."""
    return "" if verdict.hidden_checked or verdict.status in ("unanswered", "missing") else LATER


def verdict_text(verdict: Verdict) -> str:
    """A verdict as plain text."""
    lines = [headline(verdict)]
    if verdict.says:
        lines.append(f"This looks like a known mistake: {verdict.says}")
    for part in verdict.parts:
        lines.append(f"{MARKS[part.passed]} {part.name}")
        if part.says and part.says != verdict.says:
            lines.append(f"    {part.says}")
        lines += [f"    {sentence}" for sentence in _advice(part)]
        for case in _cases_to_show(verdict, part):
            lines.append(f"    {case_title(case)}: " + "; ".join(case_sentences(case)))
            lines += [f"        {line}" for line in (case.error or {}).get("lines", [])]
    return "\n".join([*lines, closing(verdict)]).strip()


def verdict_html(verdict: Verdict) -> str:
    """A verdict as a fragment of HTML. Everything that may stem from the answer is escaped."""
    colour = {"passed": GREEN, "unanswered": GREY, "missing": GREY}.get(verdict.status, RED)
    body = [f"<p style='margin:0'><strong>{MARKS[verdict.status == 'passed']} {escape(headline(verdict))}</strong></p>"]
    if verdict.status == "unanswered":
        return _card(verdict, colour, [f"<p style='margin:0'><strong>{escape(headline(verdict))}</strong></p>"])
    if verdict.says:
        body.append(
            f"<p style='margin:.5em 0'><strong>This looks like a known mistake.</strong> {escape(verdict.says)}</p>"
        )
    body.append("<ul style='list-style:none;padding-left:0;margin:.5em 0'>")
    first = next((part for part in verdict.parts if _cases_to_show(verdict, part)), None)
    body += [_part_html(verdict, part, folded=part is not first) for part in verdict.parts]
    body.append("</ul>")
    if closing(verdict):
        body.append(f"<p style='margin:.5em 0 0;opacity:.85'>{closing(verdict)}</p>")
    return _card(verdict, colour, body)


def _card(verdict: Verdict, colour: str, body: list[str]) -> str:
    return f'<section aria-label="Check of {escape(verdict.exercise)}" style="{CARD.format(colour=colour)}">{"".join(body)}</section>'


def _part_html(verdict: Verdict, part: PartVerdict, folded: bool) -> str:
    """A part with its failed cases; folded, so that the first failure is read first."""
    lines = [f"<li style='margin:.2em 0'><span aria-hidden='true'>{MARKS[part.passed]}</span> "]
    lines.append(
        f"{escape(part.name)}<span style='opacity:.85'> — {'passes' if part.passed else 'does not pass'}</span>"
    )
    if part.says and part.says != verdict.says:
        lines.append(f"<p style='margin:.2em 0 .2em 1.2em'>{escape(part.says)}</p>")
    lines += [f"<p style='margin:.2em 0 .2em 1.2em'>{escape(sentence)}</p>" for sentence in _advice(part)]
    cases = "".join(_case_html(case) for case in _cases_to_show(verdict, part))
    lines.append(
        f"<details style='margin-left:1.2em'><summary>what came out</summary>{cases}</details>"
        if folded and cases
        else cases
    )
    return "".join([*lines, "</li>"])


def _case_html(case: CaseVerdict) -> str:
    rows = "".join(f"<li>{escape(sentence)}</li>" for sentence in case_sentences(case))
    html = f"<div style='margin:.3em 0 .3em 1.2em'><em>{escape(case_title(case))}</em><ul style='margin:.2em 0'>{rows}</ul>"
    if case.error and case.error["lines"]:
        html += f"<pre style='white-space:pre-wrap;margin:.2em 0;color:inherit;background:transparent'>{escape(chr(10).join(case.error['lines']))}</pre>"
    if case.inputs and not case.hidden:
        inputs = "; ".join(f"{name} = {show(value)}" for name, value in case.inputs.items())
        html += f"<details><summary>the inputs</summary><code style='white-space:pre-wrap'>{escape(inputs)}</code></details>"
    return html + "</div>"


def _advice(part: PartVerdict) -> list[str]:
    """What to think of: the author's note, and that other inputs fail where it looks right on those that can be seen."""
    if _untouched(part):
        return []
    public = [case for case in part.cases if not case.hidden]
    elsewhere = not part.passed and public and all(case.passed for case in public)
    return [ELSEWHERE] * bool(elsewhere) + [part.note] * bool(part.note)


def _untouched(part: PartVerdict) -> bool:
    return all(case.kind in ("unanswered", "missing") for case in part.cases)


def _cases_to_show(verdict: Verdict, part: PartVerdict) -> list[CaseVerdict]:
    """The failed public cases, two at most; a hidden one never, so that its inputs stay hidden."""
    if verdict.status == "unanswered":
        return []
    return [case for case in part.cases if not case.passed and not case.hidden][:2]


def case_title(case: CaseVerdict) -> str:
    """The label of a public case."""
    return "another input" if case.hidden else case.label


def case_sentences(case: CaseVerdict) -> list[str]:
    """What went wrong in a case, a sentence each."""
    if case.kind == "unanswered":
        return ["not answered yet"]
    if case.kind == "missing":
        return [
            f"there is no {case.differences['missing'].strip(chr(39))} here: run the cell that defines it, and mind the exact name"
        ]
    if case.kind == "timeout":
        return [f"no result after {case.differences['timeout']} seconds of computing: look for a loop that never ends"]
    if case.kind == "error":
        return [f"it raised {case.error['type']}: {case.error['message']}"]
    return [f"{name}: {sentence}" for name, sentence in case.differences.items()]
