"""The proof of every exercise: reference, starter, other right answers, and the bank of misconceptions."""

from functools import lru_cache

import pytest

from autograder.build.answers import answer_files, namespace_with, read_answers
from autograder.build.master import cut_solution, reference_code
from autograder.build.record import key_paths
from autograder.build.write import load
from autograder.grading.cells import run_cell
from autograder.paths import written_slugs
from autograder.specs.spec import working_folder
from dlcourse.checks import run_exercise
from dlcourse.checks.isolation import clean_state
from dlcourse.checks.key import read_key
from dlcourse.checks.probe import find_probe

CHECKED = [(slug, exercise.id) for slug in written_slugs() for exercise in load(slug)[1] if exercise.kind != "written"]
MISTAKES = [
    (slug, exercise.id, number)
    for slug in written_slugs()
    for exercise in load(slug)[1]
    for number in range(len(exercise.misconceptions))
]


@lru_cache(maxsize=3)
def reference_namespace(slug, earlier=()):
    return namespace_with(load(slug)[0], {}, earlier)


def spec(slug, exercise):
    return next(entry for entry in load(slug)[1] if entry.id == exercise)


def graded(slug, exercise, source, public=False, earlier=()):
    """The verdict on an answer cell that replaces the reference's."""
    namespace = dict(reference_namespace(slug, earlier))
    with working_folder(slug):
        with clean_state():
            run_cell(source, exercise, namespace)
        return run_exercise(read_key(key_paths(slug, exercise)[public]), namespace)


@pytest.mark.parametrize(("slug", "exercise"), CHECKED)
def test_reference_gets_full_points(slug, exercise):
    answer = reference_code(load(slug)[0].answer(exercise))
    for public in (False, True):
        verdict = graded(slug, exercise, answer, public)
        assert verdict.status == "passed" and verdict.points == spec(slug, exercise).points


@pytest.mark.parametrize(("slug", "exercise"), CHECKED)
def test_starter_gets_nothing(slug, exercise):
    verdict = graded(slug, exercise, cut_solution(load(slug)[0].answer(exercise)))
    assert verdict.points == 0 and all(not part.passed for part in verdict.parts)
    assert verdict.status == "unanswered"


@pytest.mark.parametrize(("slug", "exercise"), CHECKED)
def test_other_right_answers_get_full_points(slug, exercise):
    answers = [read_answers(path)[exercise] for path in answer_files(slug) if exercise in read_answers(path)]
    assert len({reference_code(load(slug)[0].answer(exercise)), *answers}) >= 3, "two other right answers are needed"
    for answer in answers:
        verdict = graded(slug, exercise, answer)
        assert verdict.status == "passed", [part for part in verdict.parts if not part.passed]


@pytest.mark.parametrize(("slug", "exercise"), CHECKED)
def test_a_check_before_its_cell_ran_says_what_is_missing(slug, exercise):
    """As somebody does who reopens a notebook: nothing is taken for a mistake."""
    verdict = run_exercise(read_key(key_paths(slug, exercise)[1]), {})
    assert (verdict.status, verdict.hint, verdict.points) == ("missing", "", 0.0)


@pytest.mark.parametrize(("slug", "exercise"), CHECKED)
def test_probes_are_the_notebooks_own(slug, exercise):
    """Two notebooks may have a probe of the same name."""
    for part in spec(slug, exercise).parts:
        assert find_probe(slug, part.probe).function.__module__.startswith((f"dlcourse.checks.probes.n{slug}", "dlcourse.checks.quiz"))


@pytest.mark.parametrize(("slug", "exercise", "number"), MISTAKES)
def test_misconception_fails_and_is_named(slug, exercise, number):
    misconception = spec(slug, exercise).misconceptions[number]
    verdict = graded(slug, exercise, misconception.apply(reference_code(load(slug)[0].answer(exercise))), earlier=misconception.earlier)
    assert verdict.status != "passed" or any(not case.passed for part in verdict.parts for case in part.cases)
    assert misconception.id in [part.hint for part in verdict.parts]
