"""From observations to points: agreement with the key, case by case, and the name of the mistake that they look like.

Nothing here runs an answer's code, so it can judge observations that come from a sandbox.
"""

from dataclasses import dataclass, field

from dlcourse.checks.compare import agree, difference, show
from dlcourse.checks.probe import find_probe

UNUSABLE = "observation"  # the one field of an observation that is no dict, or that the judge cannot read
LIKENESS = 0.5  # how alike the wrong fields of an answer and of a known mistake must be to name the mistake


@dataclass
class CaseVerdict:
    """One case: `kind` is observed, error, missing, unanswered or timeout; `differences` maps a field to a sentence."""

    label: str
    hidden: bool
    kind: str
    differences: dict[str, str]
    error: dict | None = None
    inputs: dict = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.differences


@dataclass
class PartVerdict:
    """One part of an exercise: all its counted cases pass, or it earns nothing."""

    name: str
    passed: bool
    points: float
    max_points: float
    cases: list[CaseVerdict]
    hint: str = ""
    says: str = ""
    note: str = ""  # the author's advice while it does not pass, the explanation once it does


@dataclass
class Verdict:
    """One exercise. `status` is passed, partial, failed, error, timeout, unanswered or missing."""

    exercise: str
    notebook: str
    points: float
    max_points: float
    status: str
    parts: list[PartVerdict]
    hidden_checked: bool

    @property
    def hint(self) -> str:
        """The id of the misconception that the answer looks like, else empty."""
        return next((part.hint for part in self.parts if part.hint), "")

    @property
    def says(self) -> str:
        """The sentence that goes with `hint`."""
        return next((part.says for part in self.parts if part.hint), "")


def facts(probe, outcome: dict, secret: dict) -> dict:
    """The fields that are compared: the observation itself, or what the probe's judge makes of it."""
    if "observed" not in outcome:
        (kind, value), *_ = outcome.items()
        return {kind: f"{value['type']}: {value['message']}" if kind == "error" else value}
    observed = outcome["observed"]
    if not isinstance(observed, dict):
        return {UNUSABLE: observed}
    if probe.judge is None:
        return observed
    try:
        return probe.judge(observed, **secret)
    except (
        Exception
    ) as error:  # the observation is the student's: whatever shape it has, it is a wrong answer, and says so
        return {UNUSABLE: f"not of the form asked for ({type(error).__name__}: {error})"}


def wrong_fields(observed: dict, expected: dict, tolerance) -> dict[str, str]:
    """The fields that do not agree, each with a sentence; an answer that was stopped has the one field that says how."""
    if not any(name in expected for name in observed):
        return {name: show(value) for name, value in observed.items()} or {UNUSABLE: "is empty"}
    found = {}
    for name in [*expected, *(name for name in observed if name not in expected)]:
        if name not in observed:
            found[name] = "was not reached"
        elif name not in expected:
            found[name] = show(observed[name])
        elif sentence := difference(observed[name], expected[name], tolerance):
            found[name] = sentence
    return found


def grade(key: dict, outcomes: list[list[dict]]) -> Verdict:
    """Judge an exercise.

    Args:
        key: see `key`.
        outcomes: for each part, for each of its cases, what `probe.observe_case` returned.

    Points come from the hidden cases where the key has any, else from the public ones.
    """
    counted_hidden = any(case["hidden"] for part in key["parts"] for case in part["cases"])
    shares = sum(part["share"] for part in key["parts"])
    parts, likenesses = [], []
    for part, part_outcomes in zip(key["parts"], outcomes, strict=True):
        verdict, alike = _grade_part(key, part, part_outcomes, counted_hidden, key["points"] * part["share"] / shares)
        parts.append(verdict)
        likenesses.append(alike)
    _name_mistakes(key, parts, likenesses)
    points = key["points"] if all(part.passed for part in parts) else sum(part.points for part in parts)
    return Verdict(key["id"], key["notebook"], round(points, 4), key["points"], _status(parts), parts, counted_hidden)


def passes(key: dict, part: dict, outcomes: list[dict]) -> bool:
    """Whether every case of a part agrees with what is expected."""
    probe = find_probe(key["notebook"], part["probe"])
    return not any(
        wrong_fields(facts(probe, outcome, case["secret"]), case["expected"], part["tolerance"])
        for case, outcome in zip(part["cases"], outcomes, strict=True)
    )


def _grade_part(key: dict, part: dict, outcomes: list[dict], counted_hidden: bool, max_points: float):
    """The verdict on a part, and how alike it is to each misconception (by id)."""
    probe = find_probe(key["notebook"], part["probe"])
    cases, seen = [], []
    for case, outcome in zip(part["cases"], outcomes, strict=True):
        fields = facts(probe, outcome, case["secret"])
        wrong = wrong_fields(fields, case["expected"], part["tolerance"])
        kind = next(iter(outcome))
        cases.append(CaseVerdict(case["label"], case["hidden"], kind, wrong, outcome.get("error"), case["inputs"]))
        seen.append(fields)
    passed = all(case.passed for case in cases if case.hidden == counted_hidden)
    note = part["explanation"] if all(case.passed for case in cases) else part["advice"]
    verdict = PartVerdict(part["name"], passed, max_points if passed else 0.0, max_points, cases, note=note)
    return verdict, {} if all(case.passed for case in cases) else _likenesses(key, part, cases, seen)


def _likenesses(key: dict, part: dict, cases: list[CaseVerdict], seen: list[dict]) -> dict[str, float]:
    """For each misconception that shares a wrong field: 2·|alike| / (|the answer's wrong fields| + |the misconception's|)."""
    mine = {(number, name) for number, case in enumerate(cases) for name in case.differences}
    found: dict[str, float] = {}
    for variant, misconception in enumerate(key["misconceptions"]):
        theirs, alike = 0, 0
        for number, case in enumerate(part["cases"]):
            wrong = case["wrong"].get(str(variant))
            if wrong is None:
                continue
            theirs += len(wrong)
            alike += sum(
                (number, name) in mine and _same(seen[number], wrong, name, part["tolerance"]) for name in wrong
            )
        if alike:
            name = misconception["id"]
            found[name] = max(found.get(name, 0.0), 2 * alike / (len(mine) + theirs))
    return found


def _name_mistakes(key: dict, parts: list[PartVerdict], likenesses: list[dict[str, float]]) -> None:
    """Name the most alike misconception in each part; of those equally alike, the one that explains most of the other parts."""
    says = {entry["id"]: entry["says"] for entry in key["misconceptions"]}
    for part, alike in zip(parts, likenesses, strict=True):
        names = [name for name, likeness in alike.items() if likeness >= LIKENESS]
        if names:
            part.hint = max(names, key=lambda name: (alike[name], sum(other.get(name, 0.0) for other in likenesses)))
            part.says = says[part.hint]


def _same(observed: dict, wrong: dict, name: str, tolerance) -> bool:
    if name not in observed:
        return wrong[name] is None
    return agree(observed[name], wrong[name], None if tolerance is None else 3 * tolerance)


def _status(parts: list[PartVerdict]) -> str:
    if all(part.passed for part in parts):
        return "passed"
    if any(part.passed for part in parts):
        return "partial"
    kinds = [case.kind for part in parts for case in part.cases]
    if all(kind == "missing" for kind in kinds):
        return "missing"
    if all(kind in ("unanswered", "missing") for kind in kinds):
        return "unanswered"
    for kind in ("timeout", "error"):
        if kind in kinds:
            return kind
    return "failed"
