"""Where things are in the repository, and the names of the notebooks."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = ROOT / "solutions"
NOTEBOOKS = ROOT / "notebooks"
ANSWERS = ROOT / "autograder" / "answers"
PUBLIC_KEYS = ROOT / "dlcourse" / "checks" / "keys"
FULL_KEYS = ROOT / "autograder" / "keys"
BUILD = (
    ROOT / "build"
)  # what can be made again: executed solutions, assignments for otter and nbgrader, the sample class

REPOSITORY = "dlcourse/dlcourse"  # owner/name of the public course repository: badges and the set-up cell point there
BRANCH = "main"

SLUGS = (
    "01_fundamentals", "02_ann", "03_cnn", "04_rnn", "05_lstm_gru", "06_attention", "07_transformers", "08_comparison", "09_final_project",
)  # fmt: skip
# Notebooks whose proof passes (tests/autograder/test_exercises.py): these are built, tested and graded. A new one is left out here
# while it is being written.
FINISHED = SLUGS


class UserError(Exception):
    """Something that the person at the command line can put right; the message says how."""


def written_slugs() -> list[str]:
    """The finished notebooks, in order."""
    return [slug for slug in SLUGS if slug in FINISHED]


def require_slug(slug: str) -> str:
    """The slug, if it is one that is written.

    Raises:
        UserError: there is no such notebook.
    """
    if slug not in written_slugs():
        raise UserError(f'there is no notebook "{slug}": the notebooks are {", ".join(written_slugs())}')
    return slug
