"""What must not stand on any page that everybody may read, and a search for it."""

import functools
from pathlib import Path

from bs4 import BeautifulSoup

from autograder.build.master import cut_solution, solution_lines
from autograder.build.write import load

SHORT = 24  # lines up to this length (`return x`, `self.p = p`) may stand anywhere by chance
PASSAGE = 3  # so many longer lines in a row are no idiom any more, but an answer


def page_text(path: Path) -> str:
    """All that a page says: its text, and what stands in attributes such as alt."""
    soup = BeautifulSoup(path.read_text(), "html.parser")
    attributes = [value for tag in soup.find_all(True) for value in tag.attrs.values() if isinstance(value, str)]
    return soup.get_text() + "\n" + "\n".join(attributes)


@functools.lru_cache(maxsize=16)
def secrets(slug: str) -> dict[str, list[str]]:
    """For each exercise the lines that are nobody's but the instructor's: answers, rubrics, edits, labels of hidden cases.

    A line that the student's notebook shows anyway is left out, and so are short ones.
    """
    master, exercises = load(slug)
    open_cells = [cell for cell in master.cells if cell.kind == "code" or not (cell.exercise or cell.rubric)]
    shown = {
        line.strip()
        for cell in open_cells
        for line in (cut_solution(cell) if cell.exercise else cell.source).splitlines()
    }
    found = {}
    for exercise in exercises:
        answer = master.answer(exercise.id)
        if exercise.kind == "written":
            lines = [*answer.source.splitlines(), *master.rubric(exercise.id).splitlines()]
        else:
            public = {case.label for part in exercise.parts for case in part.public}
            lines = [
                *solution_lines(answer),
                *(line for wrong in exercise.misconceptions for line in _edited(wrong)),
                *(case.label for part in exercise.parts for case in part.hidden if case.label not in public),
            ]
        lines = [line.strip() for line in lines]
        found[exercise.id] = [line for line in lines if len(line) > SHORT and not any(line in text for text in shown)]
    return found


def _edited(misconception) -> list[str]:
    edits = [(misconception.old, misconception.new), *misconception.also]
    return [line for _, new in edits for line in new.splitlines()]


def leaks(texts: dict[str, str], slugs: list[str]) -> list[str]:
    """Where something of a solution stands: a sentence for each find.

    Another notebook's page may use the idioms of an answer, so there only a passage counts; everywhere else one line does.
    """
    found = []
    flat = {name: " ".join(text.split()) for name, text in texts.items()}
    lines = {name: [line.strip() for line in text.splitlines() if len(line.strip()) > SHORT] for name, text in texts.items()}
    for slug in slugs:
        for exercise, secret in secrets(slug).items():
            for name in texts:
                if name.startswith("notebooks/") and slug not in name:
                    hits = shared_passage(secret, lines[name])
                else:
                    hits = [line for line in secret if " ".join(line.split()) in flat[name]]
                found += [f"{name}: {exercise} of {slug}: {line}" for line in hits]
    return found


def shared_passage(secret: list[str], lines: list[str]) -> list[str]:
    """Successive longer lines, PASSAGE of them, that stand in both; empty if there are none."""
    passages = {tuple(lines[start : start + PASSAGE]) for start in range(len(lines) - PASSAGE + 1)}
    windows = (tuple(secret[start : start + PASSAGE]) for start in range(len(secret) - PASSAGE + 1))
    return next((list(window) for window in windows if window in passages), [])
