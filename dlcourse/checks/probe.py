"""Probes: each calls an answer with the inputs of a case and returns what it observes. See docs/authoring.md."""

import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import torch

from dlcourse.checks.isolation import TimeLimit, clean_state, time_limit
from dlcourse.checks.observe import MAX_TEXT, plain, unanswered

_PROBES: dict[tuple[str, str], "Probe"] = {}  # by module and name: two notebooks may use the same name


@dataclass(frozen=True)
class Probe:
    """`function(answer, **inputs) -> dict` runs where the answer is; `judge(observation, **secret) -> dict`, if any, never does."""

    name: str
    function: Callable
    judge: Callable | None = None


def probe(function=None, *, judge=None):
    """Register a function as a probe, under its own name."""
    if function is None:
        return lambda decorated: probe(decorated, judge=judge)
    _PROBES[function.__module__, function.__name__] = Probe(function.__name__, function, judge)
    return function


def find_probe(notebook: str, name: str) -> Probe:
    """The probe `name` of a notebook such as "06_attention".

    Raises:
        KeyError: that notebook has no such probe.
    """
    for module in (f"dlcourse.checks.probes.n{notebook}", "dlcourse.checks.quiz"):
        function = vars(importlib.import_module(module)).get(name)
        if found := _PROBES.get((getattr(function, "__module__", ""), name)):
            return found
    raise KeyError(f"no probe named {name} in dlcourse/checks/probes/n{notebook}.py")


class MissingName(BaseException):
    """The answer does not define a name that the probe asks for; a BaseException, so that no `except Exception` takes it for a result."""


class Answer:
    """What the student defined, by attribute."""

    def __init__(self, namespace: dict):
        self.__dict__["_namespace"] = namespace

    def __getattr__(self, name):
        try:
            return self._namespace[name]
        except KeyError:
            raise MissingName(name) from None


def observe_case(probe: Probe, namespace: dict, inputs: dict, seconds: float) -> dict:
    """Run one case in a clean state. Never raises, whatever the answer does (but for an interrupt of the user's own).

    Args:
        probe: what to run.
        namespace: where the answer is defined.
        inputs: the case's inputs, plain data; the probe gets copies.
        seconds: CPU seconds that the answer may take.

    Returns:
        dict: one of `{"observed": {...}}`, `{"error": {"type", "message", "lines"}}`, `{"unanswered": True}`, `{"missing": name}`,
        `{"timeout": seconds}`.
    """
    try:
        with clean_state(), time_limit(seconds):
            return {"observed": plain(probe.function(Answer(namespace), **_copies(inputs)))}
    except MissingName as error:
        return {"missing": str(error)}
    except TimeLimit:
        return {"timeout": seconds}
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: an answer that calls exit() has failed, not the notebook
        return {"unanswered": True} if unanswered(error) else {"error": describe_error(error)}


def observe_exercise(notebook: str, parts: list[dict], namespace: dict, seconds: float):
    """Run every case of an exercise. After the first that takes too long the others are not run: they would loop as well.

    Args:
        notebook: such as "06_attention".
        parts: dicts with the name of the `probe` and the `inputs` of each case.
        namespace: where the answer is defined.
        seconds: CPU seconds for each case.

    Yields:
        number of the part, number of the case, outcome (see `observe_case`).
    """
    outcome = {}
    for part_number, part in enumerate(parts):
        probe = find_probe(notebook, part["probe"])
        for case_number, inputs in enumerate(part["inputs"]):
            if "timeout" not in outcome:
                outcome = observe_case(probe, namespace, inputs, seconds)
            yield part_number, case_number, outcome


def requested(key: dict) -> list[dict]:
    """The `parts` of `observe_exercise` for a key: what may be seen where an answer runs, no expected value among it."""
    return [{"probe": part["probe"], "inputs": [case["inputs"] for case in part["cases"]]} for part in key["parts"]]


def _copies(value):
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copies(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_copies(entry) for entry in value]
    return value


def describe_error(error: BaseException) -> dict:
    """An exception as plain data: type, message, and the student's own lines of the traceback, innermost last."""
    try:
        message = str(error)[:MAX_TEXT]
    except Exception:
        message = "(its message cannot be read)"
    lines = [
        f"line {frame.lineno}, in {frame.name}: {frame.line or ''}".strip()
        for frame in traceback.extract_tb(error.__traceback__)
        if _is_students(frame.filename)
    ]
    return {"type": type(error).__name__[:200], "message": message, "lines": [line[:500] for line in lines[-6:]]}


def _is_students(filename: str) -> bool:
    """Cells have names such as `<cell adam>` or ipykernel's temporary files; libraries have paths of installed modules."""
    return filename.startswith("<cell") or "ipykernel_" in filename or filename.startswith("<ipython-input")
