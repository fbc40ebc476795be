"""Quizzes: one probe for all of them. The right answers are not in the key, only digests of them."""

import hashlib

from dlcourse.checks.observe import Unanswered
from dlcourse.checks.probe import probe


def digest(question: str, answer: str) -> str:
    """What stands in the key for a right answer."""
    return hashlib.sha256(f"{question}\n{answer}".encode()).hexdigest()


def judge_quiz(observation: dict, question: str, right: str) -> dict:
    """Whether the given answer has the digest of the right one."""
    given = observation.get("given")
    if not isinstance(given, str):
        return {"answer": "the answer is a string, one of those that the question offers"}
    return {"answer": "right" if digest(question, given) == right else "not this one"}


@probe(judge=judge_quiz)
def quiz_answer(answer, variable, question):
    """What the student wrote for one question: an entry of a dict, or the n-th of a list whose questions are named "1", "2", ..."""
    answers = getattr(answer, variable)
    if answers is ... or answers is None:
        raise Unanswered
    if isinstance(answers, dict):
        given = answers.get(question)
    else:
        given = list(answers)[int(question) - 1] if len(answers) >= int(question) else None
    if given in (None, ..., ""):
        raise Unanswered
    return {"given": given.strip() if isinstance(given, str) else given}
