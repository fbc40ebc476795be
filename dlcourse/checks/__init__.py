"""`check("<id>")`: what a student calls under each answer.

wire        plain data as bytes            key         what is expected
probe       how an answer is called        compare     agreement, in words
observe     helpers for probes             verdict     observations to points
watch       which functions ran            feedback    a verdict as HTML and text
isolation   a clean state around an answer
"""

import contextlib
import sys

from dlcourse.checks.feedback import Result
from dlcourse.checks.key import KeyMissing, find_key
from dlcourse.checks.observe import unanswered
from dlcourse.checks.probe import observe_exercise, requested
from dlcourse.checks.verdict import Verdict, grade

__all__ = ["check", "once_answered", "run_exercise"]


def check(exercise: str, namespace: dict | None = None) -> Result:
    """Check the answer to an exercise, as it is defined in the notebook now.

    Args:
        exercise: the id that stands above the answer, such as "adam".
        namespace: where the answer is defined; the notebook that calls, if not given.

    Returns:
        Result: shown as a page in a notebook; `print(check(...).text)` elsewhere. Its plain form is the number of points.
        It never raises, whatever the answer does.
    """
    if namespace is None:
        namespace = sys._getframe(1).f_globals
    try:
        key = find_key(str(exercise))
    except KeyMissing as error:
        return Result(problem=str(error))
    return Result(verdict=run_exercise(key, namespace))


def run_exercise(key: dict, namespace: dict) -> Verdict:
    """Run every case of an exercise in this process, and judge it."""
    outcomes = [[] for _ in key["parts"]]
    for part, _, outcome in observe_exercise(key["notebook"], requested(key), namespace, key["seconds"]):
        outcomes[part].append(outcome)
    return grade(key, outcomes)


@contextlib.contextmanager
def once_answered(exercise: str):
    """For demonstrations that use a student's answer: says so, and goes on, while the answer is still missing."""
    try:
        yield
    except Exception as error:
        if not (unanswered(error) or isinstance(error, NameError)):
            raise
        print(f'This cell comes alive once "{exercise}" is answered.')
