"""Notebook 1, fundamentals: how its lists of mistakes are written."""

from autograder.specs.spec import Misconception


def variants(id, says, *edits):
    """One mistake in several spellings: each edit is (old, new) or (old, new, (old, new), ...)."""
    return [Misconception(id, old=old, new=new, says=says, also=tuple(also)) for old, new, *also in edits]
