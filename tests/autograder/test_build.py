"""The build: same bytes twice, nothing stale, and nothing of a solution in what students get."""

import re
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from autograder.build.leaks import SHORT, shared_passage
from autograder.build.master import cut_solution, read_master, reference_code, solution_lines
from autograder.build.notebooks import WRITE_HERE, notebook_text, student_notebook
from autograder.build.record import key_paths, record_notebook
from autograder.build.write import load, stale_files
from autograder.paths import NOTEBOOKS, ROOT, UserError, written_slugs
from dlcourse.checks.key import read_key
from dlcourse.checks.probe import _PROBES, find_probe
from dlcourse.checks.wire import decode, encode

SLUGS = written_slugs()


@pytest.mark.parametrize("slug", SLUGS)
def test_what_is_committed_is_up_to_date(slug):
    assert stale_files(slug) == []


@pytest.mark.parametrize("slug", SLUGS[:1])
def test_recording_again_changes_no_byte(slug):
    for recorded in record_notebook(*load(slug), force=True):
        full, public = key_paths(slug, recorded.exercise)
        assert full.read_bytes() == recorded.full and public.read_bytes() == recorded.public, recorded.exercise


@pytest.mark.parametrize("slug", SLUGS)
def test_notebook_is_built_the_same_twice(slug):
    first, second = (notebook_text(student_notebook(*load(slug))) for _ in range(2))
    assert first == second == (NOTEBOOKS / f"{slug}.ipynb").read_text()


@pytest.mark.parametrize("slug", SLUGS)
def test_student_notebook(slug):
    notebook = nbformat.read(NOTEBOOKS / f"{slug}.ipynb", as_version=4)
    by_id = {cell.id: cell for cell in notebook.cells}
    assert len(by_id) == len(notebook.cells)
    assert all(
        not cell.get("outputs") and cell.get("execution_count") is None
        for cell in notebook.cells
        if cell.cell_type == "code"
    )
    for exercise in load(slug)[1]:
        meta = by_id[exercise.id].metadata.nbgrader
        assert meta.grade_id == exercise.id and meta.solution
        if exercise.kind == "written":
            assert by_id[exercise.id].source == WRITE_HERE and meta.points == exercise.points
        else:
            check = by_id[f"{exercise.id}_check"]
            assert check.source == f'check("{exercise.id}")'
            assert (
                check.metadata.nbgrader.grade
                and check.metadata.nbgrader.locked
                and check.metadata.nbgrader.points == exercise.points
            )
            if exercise.kind == "code":
                assert "NotImplementedError" in by_id[exercise.id].source


@pytest.mark.parametrize("slug", SLUGS)
def test_figures_are_described(slug):
    """Every cell that draws is followed by prose that says what is to be seen."""
    cells = read_master(slug).cells
    for cell, following in zip(cells, cells[1:]):
        if (
            cell.kind == "code"
            and re.search(r"plt\.show\(|show_images\(|plot_history\(|plt\.subplots\(", cell.source)
            and not cell.exercise
        ):
            if "def " in cell.source:
                continue
            assert following.kind == "markdown" and "*Figure:*" in following.source, cell.source[:200]


def student_texts() -> dict[str, str]:
    """Everything that a student gets, as text: notebooks, and every file of dlcourse (keys decoded)."""
    texts = {}
    for path in sorted([*NOTEBOOKS.glob("*.ipynb"), *(ROOT / "dlcourse").rglob("*")]):
        if path.suffix == ".ipynb":
            texts[path.name] = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        elif path.suffix == ".key":
            texts[f"{path.parent.name}/{path.name}"] = repr(decode(path.read_bytes()))
        elif path.suffix == ".py":
            texts[str(path.relative_to(ROOT))] = path.read_text()
    return texts


@pytest.mark.parametrize("slug", SLUGS)
def test_no_solution_reaches_students(slug):
    """In its own notebook and in dlcourse no line of an answer may stand; other notebooks may use the same idioms, but show no passage."""
    master, exercises = load(slug)
    texts = {name: text for name, text in student_texts().items() if "checks/probes" not in name}
    others = {name for name in texts if name.endswith(".ipynb") and not name.startswith(slug)}
    given = {line.strip() for name in texts.keys() - others for line in texts[name].splitlines()}
    elsewhere = [[line.strip() for line in texts[name].splitlines() if len(line.strip()) > SHORT] for name in others]
    open_cells = [cell for cell in master.cells if cell.kind == "code" or not (cell.exercise or cell.rubric)]
    shown = {
        line.strip()
        for cell in open_cells
        for line in (cut_solution(cell) if cell.exercise else cell.source).splitlines()
    }
    for exercise in exercises:
        answer = master.answer(exercise.id)
        if exercise.kind == "written":
            secret = [*answer.source.splitlines(), *master.rubric(exercise.id).splitlines()]
        else:
            secret = [line for line in solution_lines(answer) if line not in shown]
        for line in secret:
            assert len(line.strip()) <= SHORT or line.strip() not in given, f"{exercise.id}: {line!r}"
        long_lines = [line for line in secret if len(line) > SHORT]
        for lines in elsewhere:
            assert not shared_passage(long_lines, lines), f"{exercise.id}: {shared_passage(long_lines, lines)}"


@pytest.mark.parametrize("slug", SLUGS)
def test_no_misconception_and_no_hidden_case_reaches_students(slug):
    texts = {name: text for name, text in student_texts().items() if name.startswith(slug)}
    for exercise in load(slug)[1]:
        for misconception in exercise.misconceptions:
            for _, new in [(misconception.old, misconception.new), *misconception.also]:
                for line in (line.strip() for line in new.splitlines()):
                    master_text = "\n".join(cell.source for cell in load(slug)[0].cells if not cell.exercise)
                    if len(line) > SHORT and line not in master_text:
                        assert all(line not in text for text in texts.values()), (
                            f"{exercise.id}, {misconception.id}: {line!r}"
                        )
        if exercise.kind == "code":
            public = read_key(key_paths(slug, exercise.id)[1])
            for part, part_key in zip(exercise.parts, public["parts"], strict=True):
                hidden = {encode([case.inputs, case.secret]) for case in part.hidden}
                given = [encode([case["inputs"], case["secret"]]) for case in part_key["cases"]]
                assert not any(case["hidden"] for case in part_key["cases"]) and not hidden & set(given)


def test_quiz_keys_hold_no_answer():
    for slug in SLUGS:
        for exercise in load(slug)[1]:
            if exercise.kind == "quiz":
                cases = [case for part in read_key(key_paths(slug, exercise.id)[1])["parts"] for case in part["cases"]]
                assert all(
                    set(case["secret"]) == {"question", "right"} and len(case["secret"]["right"]) == 64
                    for case in cases
                )
                assert all(set(case["inputs"]) == {"variable", "question"} for case in cases)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '# %% [markdown]\n# Title\n\n# %% exercise="a"\ndef f():\n    # BEGIN SOLUTION\n    return 1\n',
            "needs pairs",
        ),
        ('# %% [markdown]\n# Title\n\n# %% exercise="a"\ndef f():\n    return 1\n', "needs pairs"),
        (
            '# %% exercise="a"\n# BEGIN SOLUTION\n# END SOLUTION\n\n# %% exercise="a"\n# BEGIN SOLUTION\n# END SOLUTION\n',
            "more than one",
        ),
    ],
)
def test_a_broken_master_is_named(text, says, tmp_path, monkeypatch):
    (tmp_path / "01_fundamentals.py").write_text(text)
    monkeypatch.setattr("autograder.build.master.SOLUTIONS", tmp_path)
    with pytest.raises(UserError, match=says):
        read_master("01_fundamentals")


def test_a_starter_is_the_answer_without_its_solution():
    master = read_master(SLUGS[0])
    cell = next(cell for cell in master.cells if cell.exercise == "adam")
    starter = cut_solution(cell)
    assert "raise NotImplementedError" in starter and "BEGIN SOLUTION" not in starter + reference_code(cell)
    compile(starter, "starter", "exec")


def test_lock_project_and_environment_agree():
    """The three lists of packages name the same ones, and the locked versions are within the ranges."""
    import tomllib
    from packaging.requirements import Requirement

    project = tomllib.loads(Path(ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        Requirement(line)
        for line in project["dependencies"] + [r for rs in project["optional-dependencies"].values() for r in rs]
    ]
    locked = {}
    for line in Path(ROOT / "requirements.lock").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            locked.setdefault(requirement.name.lower().replace("_", "-"), []).append(
                str(requirement.specifier).removeprefix("==")
            )
    for requirement in wanted:
        versions = locked.get(requirement.name)
        assert versions, f"{requirement.name} is not in requirements.lock"
        assert all(requirement.specifier.contains(version) for version in versions), requirement
    environment = (ROOT / "environment.yml").read_text()
    assert "-r requirements.lock" in environment


def test_a_judge_that_fails_on_the_reference_fails_the_build(monkeypatch):
    """Its complaint must not become what every answer is expected to give."""
    master, exercises = load("01_fundamentals")
    dropout = next(exercise for exercise in exercises if exercise.id == "dropout")
    find_probe("01_fundamentals", dropout.parts[0].probe)  # which registers it
    broken = {name: replace(probe, judge=lambda observation, **secret: 1 / 0) for name, probe in _PROBES.items()}
    monkeypatch.setattr("dlcourse.checks.probe._PROBES", broken)
    with pytest.raises(UserError, match="the reference answer fails: not of the form asked for"):
        record_notebook(master, exercises, force=True)
