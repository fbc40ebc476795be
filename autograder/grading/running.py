"""Having the cells and cases of a submission run in the sandbox: which, in which order, and what may come back."""

import functools
import secrets
from dataclasses import dataclass, field

import torch

from autograder.grading.notebook import Cell
from autograder.grading.sandbox import Sandbox
from dlcourse.checks.probe import requested
from dlcourse.checks.verdict import passes

CELL_SECONDS = 20
WALL_FACTOR, WALL_GRACE = 6, 20  # wall time may be this much more than CPU time: the machine may be busy
MAX_CHILDREN = 12  # fresh children that one run of a submission may use up before the rest of it counts as crashed
NUMBERS = 2**53  # what JSON keeps exactly


@dataclass
class Plan:
    """What of a submission is to be run, and what came of it: `outcomes` has one for each case that its keys hold."""

    cells: list[Cell]
    keys: list[dict]
    files: dict[str, bytes] = field(default_factory=dict)
    left_out: list[Cell] = field(default_factory=list)
    outcomes: dict[str, list[list[dict]]] = field(default_factory=dict)
    errors: dict[str, dict] = field(default_factory=dict)
    signs: dict[str, str] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    forged: str = ""

    def update(self, other: "Plan") -> None:
        """Take another run of some of the exercises instead."""
        newer = {key["id"]: key for key in other.keys}
        self.keys = [newer.get(key["id"], key) for key in self.keys]
        self.outcomes |= other.outcomes
        self.signs |= other.signs
        self.forged = self.forged or other.forged


def observe(sandbox: Sandbox, cells: list[Cell], keys: list[dict], files: dict[str, bytes]) -> Plan:
    """Run the hidden cases, which give the points, and then the public cases of what does not pass, which explain why.

    Returns:
        the plan with all that was run; each of its keys holds the cases that have an outcome.

    Raises:
        SandboxDied: the sandbox ended, and not by the submission's child alone.
    """
    plan = Plan(cells, [_with_cases(key, hidden=True) for key in keys], files)
    _run(sandbox, plan)
    if plan.forged:
        return plan
    public = [_to_explain(key, asked, plan.outcomes[key["id"]]) for key, asked in zip(keys, plan.keys, strict=True)]
    stuck = {name for name, error in plan.errors.items() if error["type"] in ("TimeLimit", "Crashed")}  # once is enough
    more = Plan([cell for cell in cells if cell.name not in stuck], [key for key in public if any(part["cases"] for part in key["parts"])], files)
    if more.keys:
        _run(sandbox, more)
        plan.signs |= more.signs
        plan.forged = more.forged
    if not plan.forged:
        plan.keys = [_join(key, plan.outcomes, more.outcomes) for key in keys]
    return plan


def bound_names(sandbox: Sandbox, cells: list[Cell]) -> set[str]:
    """The names that cells would define if they ran."""
    plan = Plan([], [], left_out=cells)
    _run(sandbox, plan)
    return plan.bound


def _with_cases(key: dict, hidden: bool) -> dict:
    """The key with its hidden cases alone, or with its public ones."""
    parts = [{**part, "cases": [case for case in part["cases"] if case["hidden"] == hidden]} for part in key["parts"]]
    return {**key, "parts": parts}


def _to_explain(key: dict, hidden: dict, outcomes: list[list[dict]]) -> dict:
    """The key with the public cases of the parts of which more is to be learned: they do not pass, and nothing stopped them.

    Args:
        key: with all its cases.
        hidden: with those that were run.
        outcomes: of these.
    """
    public = _with_cases(key, hidden=False)
    for part, asked, seen in zip(public["parts"], hidden["parts"], outcomes, strict=True):
        if _stop(seen) or passes(key, asked, seen):
            part["cases"] = []
    return public


def _stop(outcomes: list[dict]) -> dict | None:
    """What stopped the hidden cases of a part, and so would stop its public ones: time, or that there is no answer."""
    timeout = next((outcome for outcome in outcomes if "timeout" in outcome), None)
    nothing = all("missing" in outcome or "unanswered" in outcome for outcome in outcomes)
    return timeout or (outcomes[0] if nothing else None)


def _join(key: dict, hidden: dict[str, list[list[dict]]], public: dict[str, list[list[dict]]]) -> dict:
    """The key with the cases that were run; `hidden` gets the outcomes of the public ones too, which come first in a key."""
    parts = []
    seen_in_public = public.get(key["id"], [[] for _ in key["parts"]])
    for part, first, seen in zip(key["parts"], seen_in_public, hidden[key["id"]], strict=True):
        cases = [case for case in part["cases"] if not case["hidden"]]
        if stop := _stop(seen):
            first = [stop] * len(cases)
        parts.append({**part, "cases": [case for case in part["cases"] if case["hidden"] or first]})
        seen[:0] = first
    return {**key, "parts": parts}


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
        "files": {name: _as_tensor(content) for name, content in plan.files.items()},
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


def _as_tensor(content: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.zeros(0, dtype=torch.uint8)
