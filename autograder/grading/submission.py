"""Grading one submission: have its cells run in the sandbox, and compare what comes back with the key."""

from dataclasses import dataclass

from autograder.build.notebooks import WRITE_HERE
from autograder.grading.notebook import Cell, Unreadable, code_cells, read_cells
from autograder.grading.running import CELL_SECONDS, Plan, bound_names, observe
from autograder.grading.sandbox import Sandbox
from dlcourse.checks.verdict import Verdict, grade
from dlcourse.quality import quality

QUALITY = "project_quality"  # the one written exercise whose first half is counted
CODE_OF_PROJECT = ("project_data", "project_model", "project_training", "project_performance")


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
    code = code_cells(cells)
    files = {name: content for name, content in contents.items() if name != "notebook"}
    plan = observe(sandbox, [cell for cell in code if not cell.demo], keys, files)
    if needy := _needy(sandbox, plan, [cell for cell in code if cell.demo]):
        plan.update(observe(sandbox, code, [key for key in keys if key["id"] in needy], files))
    return results + [_result(key, plan) for key in plan.keys]


def everywhere(keys: list[dict], written: dict[str, float], status: str, message: str) -> list[ExerciseResult]:
    """The same for every exercise of a submission that could not be graded, no points."""
    every = [(key["id"], key["points"]) for key in keys] + list(written.items())
    return [ExerciseResult(name, 0.0, points, status, message=message) for name, points in every]


def _needy(sandbox: Sandbox, plan: Plan, left_out: list[Cell]) -> set[str]:
    """The exercises that did not find a name which a cell that was left out defines."""
    missing = {name: _missing_names(outcomes) for name, outcomes in plan.outcomes.items()}
    if plan.forged or not any(missing.values()):
        return set()
    bound = bound_names(sandbox, left_out)
    return {name for name, names in missing.items() if names & bound}


def _missing_names(outcomes: list[list[dict]]) -> set[str]:
    """Names that the answer, or the probe, did not find."""
    found = set()
    for outcome in (outcome for part in outcomes for outcome in part):
        if "missing" in outcome:
            found.add(outcome["missing"])
        elif outcome.get("error", {}).get("type") == "NameError":
            found |= set(outcome["error"]["message"].split("'")[1:2])
    return found


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
