"""Grading one submission: have its cells run in the sandbox, and compare what comes back with the key."""

import functools
import secrets
from dataclasses import dataclass, field

import torch

from autograder.build.notebooks import WRITE_HERE
from autograder.grading.notebook import Cell, Unreadable, read_cells
from autograder.grading.sandbox import Sandbox
from dlcourse.checks.probe import requested
from dlcourse.checks.verdict import Verdict, grade
from dlcourse.quality import quality

CELL_SECONDS = 20
WALL_FACTOR, WALL_GRACE = 6, 20  # wall time may be this much more than CPU time: the machine may be busy
MAX_CHILDREN = 12  # fresh children that one submission may use up before the rest of it counts as crashed
QUALITY = "project_quality"  # the one written exercise whose first half is counted
CODE_OF_PROJECT = ("project_data", "project_model", "project_training", "project_performance")
NUMBERS = 2**53  # what JSON keeps exactly


@dataclass
class ExerciseResult:
    """What a row of grades.csv says, the verdict behind it, and a sentence for people."""

    exercise: str
    points: float
    max_points: float
    status: str
    hint: str = ""
    verdict: Verdict | None = None
    message: str = ""


@dataclass
class Plan:
    """What of a submission is still to be run, and what came of it."""

    cells: list[Cell]
    left_out: list[Cell]
    keys: list[dict]
    files: dict[str, torch.Tensor]
    outcomes: dict[str, list[list[dict]]] = field(default_factory=dict)
    errors: dict[str, dict] = field(default_factory=dict)
    signs: dict[str, str] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    forged: str = ""


def grade_submission(
    sandbox: Sandbox, contents: dict[str, bytes], keys: list[dict], written: dict[str, float], demos: set[str]
) -> list[ExerciseResult]:
    """Grade a submitted notebook.

    Args:
        sandbox: where its code runs.
        contents: see `notebook.read_submission`.
        keys: the full keys of its exercises, in order.
        written: points of the exercises that are graded by hand, by id.
        demos: ids of cells that no exercise needs.

    Returns:
        one result for each exercise.

    Raises:
        SandboxDied: the sandbox ended, and not by the submission's child alone.
    """
    try:
        cells = read_cells(contents["notebook"], demos)
    except Unreadable as error:
        return everywhere(keys, written, "error", str(error))
    results = [_written_result(name, points, cells) for name, points in written.items()]
    for result in results:
        if result.exercise == QUALITY:
            _count_quality(result, cells)
    if not keys:
        return results
    code = [cell for cell in cells if cell.kind == "code" and not cell.name.endswith("_check")]
    files = {name: _as_tensor(content) for name, content in contents.items() if name != "notebook"}
    plan = Plan([cell for cell in code if not cell.demo], [cell for cell in code if cell.demo], keys, files)
    _run(sandbox, plan)
    needy = [key for key in keys if _missing_names(plan.outcomes[key["id"]]) & plan.bound]
    if needy and not plan.forged:  # an answer uses a name that a skipped cell defines
        whole = Plan(code, [], needy, files)
        _run(sandbox, whole)
        plan.outcomes.update(whole.outcomes)
        plan.signs |= whole.signs
        plan.forged = whole.forged
    return results + [_result(key, plan) for key in keys]


def everywhere(keys: list[dict], written: dict[str, float], status: str, message: str) -> list[ExerciseResult]:
    """The same for every exercise of a submission that could not be graded, no points."""
    every = [(key["id"], key["points"]) for key in keys] + list(written.items())
    return [ExerciseResult(name, 0.0, points, status, message=message) for name, points in every]


def _as_tensor(content: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.zeros(0, dtype=torch.uint8)


def _missing_names(outcomes: list[list[dict]]) -> set[str]:
    """Names that the answer, or the probe, did not find."""
    found = set()
    for outcome in (outcome for part in outcomes for outcome in part):
        if "missing" in outcome:
            found.add(outcome["missing"])
        elif outcome.get("error", {}).get("type") == "NameError":
            found |= set(outcome["error"]["message"].split("'")[1:2])
    return found


def _run(sandbox: Sandbox, plan: Plan) -> None:
    """Fill the plan's outcomes. When a child ends early, what it was at costs itself alone, and a fresh child does the rest."""
    cells, waiting = list(plan.cells), list(plan.keys)
    for _ in range(MAX_CHILDREN):
        request = _request(cells, plan, waiting)
        messages, end = sandbox.run(request, functools.partial(_wall_seconds, keys=waiting))
        plan.forged = _forged(messages, end, request["run"], waiting)
        if plan.forged:
            break
        at = next((message for message in reversed(messages) if "start" in message), {"start": "nothing", "name": ""})
        _note(plan, messages)
        crash = {"timeout": _seconds(at, waiting)} if end == "timeout" else _crash(end)
        done = []
        for key in waiting:
            outcomes = _outcomes(key, messages)
            if outcomes is None and at["start"] == "exercise" and at["name"] == key["id"]:
                outcomes = _all_cases(key, crash)
            if outcomes is not None:
                plan.outcomes[key["id"]] = outcomes
                done.append(key["id"])
        waiting = [key for key in waiting if key["id"] not in done]
        if not waiting:
            return
        if at["start"] == "cell":
            plan.errors.setdefault(at["name"], {"type": "Crashed", "message": f"running the cell {ENDS[end]}", "lines": []})
            cells = [cell for cell in cells if cell.name != at["name"]]
        elif at["start"] == "nothing":
            break
    for key in waiting:
        plan.outcomes[key["id"]] = _all_cases(key, _crash("end"))


ENDS = {
    "died": "ended the process", "timeout": "took too long", "memory": "took too much memory or too many processes",
    "end": "ended the notebook too early",
}  # fmt: skip


def _note(plan: Plan, messages: list[dict]) -> None:
    for message in messages:
        if "cell" in message:
            plan.errors.setdefault(message["cell"], message["error"])
        elif "sign" in message:
            plan.signs[message["name"]] = message["sign"]
        elif "bound" in message:
            plan.bound |= set(message["bound"])


def _request(cells: list[Cell], plan: Plan, keys: list[dict]) -> dict:
    exercises = [
        {"id": key["id"], "notebook": key["notebook"], "seconds": key["seconds"], "parts": requested(key)}
        for key in keys
    ]
    return {
        "run": secrets.randbelow(NUMBERS),
        "files": plan.files,
        "cells": [{"source": cell.source, "name": cell.name} for cell in cells],
        "left_out": [cell.source for cell in plan.left_out],
        "cell_seconds": CELL_SECONDS,
        "exercises": exercises,
    }


def _seconds(start: dict, keys: list[dict]) -> float:
    """CPU seconds that a step may take: a cell, or all cases of an exercise."""
    for key in keys:
        if start.get("start") == "exercise" and key["id"] == start.get("name"):
            return key["seconds"] * sum(len(part["cases"]) for part in key["parts"])
    return CELL_SECONDS


def _wall_seconds(start: dict, keys: list[dict]) -> tuple[float, float]:
    """Wall seconds that a step may take as a whole, and each case of it."""
    each = next((key["seconds"] for key in keys if start.get("name") == key["id"]), CELL_SECONDS)
    whole = _seconds(start, keys)
    return WALL_FACTOR * whole + WALL_GRACE, WALL_FACTOR * max(each, CELL_SECONDS) + WALL_GRACE


def _crash(end: str) -> dict:
    return {"error": {"type": "Crashed", "message": f"its code {ENDS[end]}", "lines": []}}


def _all_cases(key: dict, outcome: dict) -> list[list[dict]]:
    """The same outcome for every case of an exercise."""
    return [[outcome for _ in part["cases"]] for part in key["parts"]]


def _forged(messages: list[dict], end: str, run: int, keys: list[dict]) -> str:
    """Why these messages cannot all be the sandbox's own; empty if they can. Some of them must then be the student's code's."""
    if end == "garbage":
        return "something else than answers came back from it"
    places = {(key["id"], p, c) for key in keys for p, part in enumerate(key["parts"]) for c in range(len(part["cases"]))}
    for message in messages:
        if message.pop("run", None) != run or not _well_formed(message):
            return "an answer came back from it that the grader did not ask for"
        if "exercise" in message:
            place = (message["exercise"], message["part"], message["case"])
            if place not in places:
                return "more answers came back from it than there are questions"
            places.remove(place)
    return ""


def _outcomes(key: dict, messages: list[dict]) -> list[list[dict]] | None:
    """The outcomes of an exercise in the order of its key; None unless there is one for each case."""
    found = {
        (message["part"], message["case"]): message["outcome"]
        for message in messages
        if message.get("exercise") == key["id"]
    }
    places = [[(p, c) for c in range(len(part["cases"]))] for p, part in enumerate(key["parts"])]
    if not all(place in found for part in places for place in part):
        return None
    return [[found[place] for place in part] for part in places]


def _well_formed(message: dict) -> bool:
    """Whether a message is one of those that `inside` describes: it comes from where a student's code runs."""
    fields = set(message)
    if fields in ({"start", "name"}, {"sign", "name"}):
        return all(isinstance(value, str) for value in message.values())
    if fields == {"bound"}:
        return isinstance(message["bound"], list) and all(isinstance(name, str) for name in message["bound"])
    if fields == {"cell", "error"}:
        return isinstance(message["cell"], str) and _is_error(message["error"])
    if (
        fields != {"exercise", "part", "case", "outcome"}
        or not isinstance(message["exercise"], str)
        or not isinstance(message["outcome"], dict)
        or len(message["outcome"]) != 1
    ):
        return False
    (kind, value), *_ = message["outcome"].items()
    fits = {
        "error": _is_error(value),
        "missing": isinstance(value, str),
        "observed": True,
        "unanswered": True,
        "timeout": True,
    }
    return type(message["part"]) is int and type(message["case"]) is int and fits.get(kind, False)


def _is_error(value) -> bool:
    if (
        not isinstance(value, dict)
        or set(value) != {"type", "message", "lines"}
        or not isinstance(value["lines"], list)
    ):
        return False
    return all(isinstance(text, str) for text in [value["type"], value["message"], *value["lines"]])


def _result(key: dict, plan: Plan) -> ExerciseResult:
    if plan.forged:
        return ExerciseResult(key["id"], 0.0, key["points"], "flagged", message=plan.forged)
    outcomes, error = plan.outcomes[key["id"]], plan.errors.get(key["id"])
    if error:  # a name is missing because the cell that should define it failed
        failed = {"timeout": CELL_SECONDS} if error["type"] == "TimeLimit" else {"error": error}
        outcomes = [[failed if "missing" in outcome else outcome for outcome in part] for part in outcomes]
    verdict = grade(key, outcomes)
    result = ExerciseResult(
        key["id"], verdict.points, verdict.max_points, verdict.status, verdict.hint, verdict, verdict.says
    )
    if sign := _sign_for(key["id"], plan):
        if result.points > 0:
            result.message = f"{sign}; the grader would have given {result.points:g} points"
            result.points, result.status = 0.0, "flagged"
    return result


def _sign_for(exercise: str, plan: Plan) -> str:
    """What is odd about an answer's own cell, or about one that is no answer and so may reach all of them."""
    answers = {key["id"] for key in plan.keys}
    for name, clause in plan.signs.items():
        if name == exercise or name not in answers:
            return f"in the cell {name}, {clause}"
    return ""


def _count_quality(result: ExerciseResult, cells: list[Cell]) -> None:
    """The half of code quality that needs no person: points so far, and what was found; a person marks the whole."""
    answers = {cell.name: cell.source for cell in cells if cell.kind == "code" and cell.name in CODE_OF_PROJECT}
    found = quality(answers)
    if not found.points:
        return
    result.status, result.points = "manual", found.points
    listed = "; ".join(found.findings[:10])
    result.message = f"{found.points:g} of 5 points by ruff and docstrings{f' ({listed})' if listed else ''}; the whole to be graded by hand"


def _written_result(name: str, points: float, cells: list[Cell]) -> ExerciseResult:
    texts = [cell.source.strip() for cell in cells if cell.name == name]
    if not texts:
        return ExerciseResult(name, 0.0, points, "missing", message="its cell is gone from the notebook")
    if all(text in ("", WRITE_HERE) for text in texts):
        return ExerciseResult(name, 0.0, points, "unanswered")
    return ExerciseResult(name, 0.0, points, "manual", message="to be graded by hand")
