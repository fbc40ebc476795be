"""What an author says about an exercise."""

import contextlib
import importlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from autograder.paths import SOLUTIONS
from dlcourse.checks.quiz import digest
from dlcourse.checks.wire import encode

KINDS = ("code", "quiz", "written")


@dataclass(frozen=True)
class Case:
    """Inputs for a probe, with a label that students read; `secret` goes to the probe's judge alone (labels, for instance)."""

    label: str
    inputs: dict = field(default_factory=dict)
    secret: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A part of an exercise: all hidden cases pass, or it earns nothing."""

    name: str
    probe: str
    public: list[Case]
    hidden: list[Case]
    share: float = 1
    tolerance: float | None = None
    advice: str = ""  # shown while the part does not pass
    explanation: str = ""  # shown once it passes


@dataclass(frozen=True)
class Misconception:
    """One edit of the reference answer, and the sentence for a student whose answer behaves like it."""

    id: str
    old: str
    new: str
    says: str
    also: tuple[tuple[str, str], ...] | list = ()
    earlier = ()  # see MisconceptionElsewhere

    def apply(self, source: str) -> str:
        """The edited answer.

        Raises:
            ValueError: a passage to be replaced does not stand exactly once in the source.
        """
        for old, new in [(self.old, self.new), *self.also]:
            if source.count(old) != 1:
                raise ValueError(f'misconception "{self.id}": {old!r} stands {source.count(old)} times in the reference answer, not once')
            source = source.replace(old, new)
        return source


Edit = tuple[str, str]  # (old, new)


@dataclass(frozen=True)
class MisconceptionElsewhere(Misconception):
    """A mistake of a notebook whose earlier cells are edited too, such as one with another option chosen: each edit is made where it applies."""

    earlier: tuple[Edit, ...] = ()


def known(id: str, says: str, *spellings: Edit | list[Edit], earlier: tuple[Edit, ...] = ()) -> list[Misconception]:
    """One mistake in all its spellings: each is an edit (old, new), or a list of edits that belong together."""
    found = []
    for spelling in spellings:
        (old, new), *also = [spelling] if isinstance(spelling, tuple) else spelling
        if earlier:
            found.append(MisconceptionElsewhere(id, old=old, new=new, says=says, also=also, earlier=earlier))
        else:
            found.append(Misconception(id, old=old, new=new, says=says, also=also))
    return found


@dataclass(frozen=True)
class Exercise:
    """An exercise; `seconds` of CPU time for each case."""

    id: str
    points: float
    kind: str = "code"
    parts: list[Part] = field(default_factory=list)
    misconceptions: list[Misconception] = field(default_factory=list)
    seconds: float = 10

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f'exercise "{self.id}": kind is one of {", ".join(KINDS)}, not {self.kind!r}')
        if self.kind != "written" and not (self.parts and all(part.public and part.hidden for part in self.parts)):
            raise ValueError(f'exercise "{self.id}": every part needs public and hidden cases')
        for part in self.parts:
            public = {handed_over(case) for case in part.public}
            shared = [case.label for case in part.hidden if handed_over(case) in public]
            if shared and self.kind != "quiz":
                raise ValueError(f'exercise "{self.id}", part "{part.name}": the hidden case "{shared[0]}" has the inputs of a public one')


def handed_over(case: Case) -> bytes:
    """What a case hands to the probe and its judge, as bytes that are equal for equal cases."""
    return encode([case.inputs, case.secret])


def quiz(id: str, points: float, variable: str, questions: dict[str, tuple[str, str, str]]) -> Exercise:
    """A quiz: `variable` is a dict or a list in the notebook; `questions` maps a key (or "1", "2", ...) to (answer, hint, explanation).

    Each question is a part. The public case and the hidden one are the same: there is one right answer.
    """
    parts = []
    for question, (answer, hint, explanation) in questions.items():
        inputs = {"variable": variable, "question": question}
        case = Case(f"question {question}", inputs, {"question": question, "right": digest(question, answer)})
        parts.append(Part(f"question {question}", "quiz_answer", [case], [case], advice=hint, explanation=explanation))
    return Exercise(id, points, kind="quiz", parts=parts)


def exercises_of(slug: str) -> list[Exercise]:
    """The exercises of a notebook such as "06_attention", in order."""
    return importlib.import_module(f"autograder.specs.n{slug}").EXERCISES


def files_of(slug: str) -> tuple[str, ...]:
    """Names of the files that are handed in beside a notebook, such as a checkpoint: `FILES` of its spec, or none."""
    return tuple(getattr(importlib.import_module(f"autograder.specs.n{slug}"), "FILES", ()))


def reference_files(slug: str) -> dict[str, Path]:
    """The reference's own such files, and what other right answers need: name in the working folder -> path. `REFERENCE_FILES` of the spec."""
    names = getattr(importlib.import_module(f"autograder.specs.n{slug}"), "REFERENCE_FILES", {})
    return {name: SOLUTIONS / path for name, path in names.items()}


@contextlib.contextmanager
def working_folder(slug: str):
    """Be in a new folder with the reference's files while a key is recorded or an answer tried; nothing moves where a notebook has none."""
    files = reference_files(slug)
    if not files:
        yield
        return
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, path in files.items():
            if path.exists():
                shutil.copy(path, Path(folder) / name)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
