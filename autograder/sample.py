"""The sample class: made-up students whose submissions are made from the built notebooks, from perfect to broken.

It shows what grading looks like before a real class hands in, and the tests grade it by three doors.
"""

import copy
from pathlib import Path

import nbformat

from autograder.build.answers import answer_files, read_answers
from autograder.build.master import Master, cut_solution, reference_code
from autograder.build.write import load
from autograder.paths import NOTEBOOKS, UserError
from autograder.specs.spec import Exercise

SLUGS = ("01_fundamentals", "06_attention")
ESSAY = (
    "I compared the runs of this notebook with each other. The figures above show where they part, and I explain the reason with the "
    "formula of the lesson; where I was not sure I say so."
)
STUB = "raise NotImplementedError"


class Paper:
    """A student's notebook in the making."""

    def __init__(self, master: Master, exercises: list[Exercise]):
        path = NOTEBOOKS / f"{master.slug}.ipynb"
        if not path.exists():
            raise UserError(f"notebooks/{path.name} is missing: run `make build` first")
        self.notebook = nbformat.read(path, as_version=4)
        self.master = master
        self.exercises = [exercise for exercise in exercises if exercise.kind != "written"]
        self.code = [exercise.id for exercise in exercises if exercise.kind == "code"]

    def cell(self, exercise: str):
        """The answer cell of an exercise."""
        return next(cell for cell in self.notebook.cells if cell.id == exercise)

    def write(self, answers: dict[str, str]) -> None:
        """Put answers into their cells."""
        for exercise, source in answers.items():
            self.cell(exercise).source = source

    def reference(self) -> dict[str, str]:
        """The reference answers."""
        return {exercise.id: reference_code(self.master.answer(exercise.id)) for exercise in self.exercises}

    def essays(self) -> None:
        """Write something under every written question."""
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown" and "nbgrader" in cell.metadata:
                cell.source = ESSAY

    def mistake(self, exercise: Exercise, number: int = 0) -> str:
        """The reference answer with one of its known mistakes."""
        return exercise.misconceptions[number].apply(reference_code(self.master.answer(exercise.id)))

    def with_mistakes(self) -> list[Exercise]:
        """The exercises that have known mistakes."""
        return [exercise for exercise in self.exercises if exercise.misconceptions]


def perfect(paper):
    paper.write(paper.reference())
    paper.essays()


def other_style(number):
    def write(paper):
        paper.write({**paper.reference(), **read_answers(answer_files(paper.master.slug)[number])})
        paper.essays()

    return write


def blank(paper):
    """Nothing is answered."""


def one_mistake(number):
    def write(paper):
        perfect(paper)
        exercise = paper.with_mistakes()[number]
        paper.write({exercise.id: paper.mistake(exercise, number % len(exercise.misconceptions))})

    return write


def many_mistakes(paper):
    perfect(paper)
    paper.write({exercise.id: paper.mistake(exercise) for exercise in paper.with_mistakes()[::2]})


def syntax_error(paper):
    perfect(paper)
    paper.cell(paper.code[1]).source += "\nthis is no Python\n"


def endless_loop(paper):
    perfect(paper)
    starter = cut_solution(paper.master.answer(paper.code[2]))
    paper.cell(paper.code[2]).source = starter.replace(STUB, "while True: pass")


def deleted_cell(paper):
    perfect(paper)
    paper.notebook.cells.remove(paper.cell(paper.code[0]))


def copied_cell(paper):
    perfect(paper)
    original = paper.cell(paper.code[3])
    place = paper.notebook.cells.index(original)
    paper.notebook.cells.insert(place, copy.deepcopy(original))
    paper.notebook.cells[place].id = "copied"  # as JupyterLab does: a new id, the same metadata
    paper.notebook.cells[place].source = cut_solution(paper.master.answer(paper.code[3]))


def half(paper):
    reference = paper.reference()
    paper.write({name: reference[name] for name in list(reference)[::2]})


def only_essays(paper):
    paper.essays()


def noisy(paper):
    """Right answers in a notebook that bends the state around them."""
    perfect(paper)
    first = paper.cell(paper.code[0])
    first.source = (
        "import sys, warnings\nimport torch\ntorch.set_default_dtype(torch.float64)\ntorch.manual_seed(1)\n"
        "print('checking'); print('careful', file=sys.stderr); warnings.warn('watch out')\n" + first.source
    )


CLASS = {
    "ada_perfect": perfect, "ben_other_style": other_style(0), "cem_third_style": other_style(1), "dora_blank": blank,
    "emil_mistake": one_mistake(0), "fay_mistake": one_mistake(2), "gil_mistake": one_mistake(4), "hana_many_mistakes": many_mistakes,
    "ivo_syntax_error": syntax_error, "jana_endless_loop": endless_loop, "kai_deleted_cell": deleted_cell, "lea_copied_cell": copied_cell,
    "mia_half": half, "nils_only_essays": only_essays, "olga_noisy": noisy,
}  # fmt: skip


def write_sample(out: Path, slugs=SLUGS) -> list[str]:
    """Write the class in nbgrader's layout; the students' names."""
    for slug in slugs:
        master, exercises = load(slug)
        for student, hand_in in CLASS.items():
            paper = Paper(master, exercises)
            hand_in(paper)
            path = out / student / slug / f"{slug}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(paper.notebook, path)
    return list(CLASS)
