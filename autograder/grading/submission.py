"""Grading one submission: read the notebook, have it run in the sandbox, compare what comes back with the key."""

import functools
import json
from dataclasses import dataclass, field
from pathlib import Path

from autograder.build.notebooks import WRITE_HERE
from autograder.grading.sandbox import Sandbox
from dlcourse.checks.probe import requested
from dlcourse.checks.verdict import Verdict, grade

MAX_NOTEBOOK = 20 * 2**20
CELL_SECONDS = 20
WALL_FACTOR, WALL_GRACE = 6, 20  # wall time may be this much more than CPU time: the machine may be busy
MAX_CHILDREN = 12  # fresh children that one submission may use up before the rest of it counts as crashed


class Unreadable(Exception):
    """The file is not a notebook; the message is for its row and its page."""


@dataclass
class Cell:
    """A cell of a submission; `name` is the exercise's id for answers, else the cell's own id or number."""

    kind: str
    source: str
    name: str
    demo: bool


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
    """What of a submission is still to be run."""

    cells: list[Cell]
    keys: list[dict]
    outcomes: dict[str, list[list[dict]]] = field(default_factory=dict)
    errors: dict[str, dict] = field(default_factory=dict)


def read_cells(path: Path, demos: set[str]) -> list[Cell]:
    """The cells of a submitted notebook.

    Args:
        path: the notebook.
        demos: ids of the demonstration cells in the notebook as it was handed out.

    Raises:
        Unreadable: it is too large, cannot be read, or is no notebook.
    """
    try:
        if path.stat().st_size > MAX_NOTEBOOK:
            raise Unreadable(
                f"the notebook is larger than {MAX_NOTEBOOK // 2**20} MB: clear its outputs and hand it in again"
            )
        content = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise Unreadable(f"the notebook cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Unreadable("the file is not a notebook: it is not valid JSON in UTF-8") from None
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list):
        raise Unreadable("the file is JSON, but not a notebook of format 4: it has no list of cells")
    return [cell for number, raw in enumerate(cells) if (cell := _read_cell(raw, number, demos))]


def _read_cell(raw, number: int, demos: set[str]) -> Cell | None:
    if not isinstance(raw, dict):
        return None
    source = raw.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return None
    source = source.encode("utf-8", "replace").decode("utf-8")  # lone surrogates can be in JSON, but not in a message
    identity = raw.get("id") if isinstance(raw.get("id"), str) else ""
    meta = raw.get("metadata") if isinstance(raw.get("metadata"), dict) else {}
    nbgrader = meta.get("nbgrader") if isinstance(meta.get("nbgrader"), dict) else {}
    grade_id = nbgrader.get("grade_id")
    tags = meta.get("tags") if isinstance(meta.get("tags"), list) else []
    name = grade_id if isinstance(grade_id, str) else identity or f"number {number}"
    name = name.encode("utf-8", "replace").decode("utf-8")[:100]
    return Cell(str(raw.get("cell_type")), source, name, "demo" in tags or identity in demos)


def grade_submission(
    sandbox: Sandbox, path: Path, keys: list[dict], written: dict[str, float], demos: set[str]
) -> list[ExerciseResult]:
    """Grade a submitted notebook.

    Args:
        sandbox: where its code runs.
        path: the notebook.
        keys: the full keys of its exercises, in order.
        written: points of the exercises that are graded by hand, by id.
        demos: ids of cells that no exercise needs.

    Returns:
        one result for each exercise.

    Raises:
        SandboxDied: the sandbox ended, and not by the submission's child alone.
    """
    try:
        cells = read_cells(path, demos)
    except Unreadable as error:
        every = [(key["id"], key["points"]) for key in keys] + list(written.items())
        return [ExerciseResult(name, 0.0, points, "error", message=str(error)) for name, points in every]
    code = [cell for cell in cells if cell.kind == "code" and not cell.name.endswith("_check")]
    plan = Plan([cell for cell in code if not cell.demo], keys)
    _run(sandbox, plan)
    needy = [key for key in keys if _needs_more(plan.outcomes[key["id"]])]
    if needy and any(cell.demo for cell in code):  # an answer uses a name that only a skipped cell may define
        whole = Plan(code, needy)
        _run(sandbox, whole)
        plan.outcomes.update(whole.outcomes)
    results = [_result(key, plan) for key in keys]
    return results + [_written_result(name, points, cells) for name, points in written.items()]


def _needs_more(outcomes: list[list[dict]]) -> bool:
    kinds = [outcome for part in outcomes for outcome in part]
    return any("missing" in outcome or outcome.get("error", {}).get("type") == "NameError" for outcome in kinds)


def _run(sandbox: Sandbox, plan: Plan) -> None:
    """Fill the plan's outcomes. When a child ends early, what it was at costs itself alone, and a fresh child does the rest."""
    cells, waiting = list(plan.cells), list(plan.keys)
    for _ in range(MAX_CHILDREN):
        messages, end = sandbox.run(_request(cells, waiting), functools.partial(_wall_seconds, keys=waiting))
        messages = [message for message in messages if _well_formed(message)]
        at = next((message for message in reversed(messages) if "start" in message), {"start": "nothing", "name": ""})
        for message in messages:
            if "cell" in message:
                plan.errors.setdefault(message["cell"], message["error"])
        crash = {"timeout": _seconds(at, waiting)} if end == "timeout" else _crash(end)
        done = []
        for key in waiting:
            outcomes = _outcomes(key, messages)
            if outcomes is None and at["start"] == "exercise" and at["name"] == key["id"]:
                outcomes = _everywhere(key, crash)
            if outcomes is not None:
                plan.outcomes[key["id"]] = outcomes
                done.append(key["id"])
        waiting = [key for key in waiting if key["id"] not in done]
        if not waiting:
            return
        if at["start"] == "cell":
            plan.errors.setdefault(
                at["name"], {"type": "Crashed", "message": f"running the cell ended the process ({end})", "lines": []}
            )
            cells = [cell for cell in cells if cell.name != at["name"]]
        elif at["start"] == "nothing":
            break
    for key in waiting:
        plan.outcomes[key["id"]] = _everywhere(key, _crash("the notebook could not be run to its end"))


def _request(cells: list[Cell], keys: list[dict]) -> dict:
    exercises = [
        {"id": key["id"], "notebook": key["notebook"], "seconds": key["seconds"], "parts": requested(key)}
        for key in keys
    ]
    return {
        "cells": [{"source": cell.source, "name": cell.name} for cell in cells],
        "cell_seconds": CELL_SECONDS,
        "exercises": exercises,
    }


def _seconds(start: dict, keys: list[dict]) -> float:
    """CPU seconds that a step may take: a cell, or all cases of an exercise."""
    for key in keys:
        if start.get("start") == "exercise" and key["id"] == start.get("name"):
            return key["seconds"] * sum(len(part["cases"]) for part in key["parts"])
    return CELL_SECONDS


def _wall_seconds(start: dict, keys: list[dict]) -> float:
    return WALL_FACTOR * _seconds(start, keys) + WALL_GRACE


def _crash(end: str) -> dict:
    return {"error": {"type": "Crashed", "message": f"the process that ran it ended early ({end})", "lines": []}}


def _everywhere(key: dict, outcome: dict) -> list[list[dict]]:
    """The same outcome for every case of an exercise."""
    return [[outcome for _ in part["cases"]] for part in key["parts"]]


def _outcomes(key: dict, messages: list[dict]) -> list[list[dict]] | None:
    """The outcomes of an exercise in the order of its key; None unless there is exactly one well-formed answer for each case."""
    found: dict[tuple, dict] = {}
    for message in messages:
        if message.get("exercise") == key["id"]:
            place = (message["part"], message["case"])
            if place in found:
                return _everywhere(key, _crash("answers that it was not asked for"))
            found[place] = message["outcome"]
    places = [[(p, c) for c in range(len(part["cases"]))] for p, part in enumerate(key["parts"])]
    if {place for part in places for place in part} != set(found):
        return None
    return [[found[place] for place in part] for part in places]


def _well_formed(message: dict) -> bool:
    """Whether a message is one of those that `inside` describes: it comes from where a student's code runs."""
    fields = set(message)
    if fields == {"start", "name"}:
        return isinstance(message["start"], str) and isinstance(message["name"], str)
    if fields == {"cell", "error"}:
        return isinstance(message["cell"], str) and _is_error(message["error"])
    if (
        fields != {"exercise", "part", "case", "outcome"}
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
    outcomes, error = plan.outcomes[key["id"]], plan.errors.get(key["id"])
    if error:  # a name is missing because the cell that should define it failed
        failed = {"timeout": CELL_SECONDS} if error["type"] == "TimeLimit" else {"error": error}
        outcomes = [[failed if "missing" in outcome else outcome for outcome in part] for part in outcomes]
    verdict = grade(key, outcomes)
    return ExerciseResult(
        key["id"], verdict.points, verdict.max_points, verdict.status, verdict.hint, verdict, verdict.says
    )


def _written_result(name: str, points: float, cells: list[Cell]) -> ExerciseResult:
    texts = [cell.source.strip() for cell in cells if cell.name == name]
    if not texts:
        return ExerciseResult(name, 0.0, points, "missing", message="its cell is gone from the notebook")
    if all(text in ("", WRITE_HERE) for text in texts):
        return ExerciseResult(name, 0.0, points, "unanswered")
    return ExerciseResult(name, 0.0, points, "manual", message="to be graded by hand")
