"""What grading a notebook needs: keys, points of what is graded by hand, and the cells that no exercise needs."""

import hashlib
from dataclasses import dataclass

import nbformat

from autograder.build.record import key_paths
from autograder.build.write import load, stale_files
from autograder.paths import NOTEBOOKS, UserError
from autograder.specs.spec import files_of
from dlcourse.checks.key import read_key


@dataclass(frozen=True)
class Assignment:
    """A notebook as the grader sees it. `versions` has a hash for each exercise: an answer is graded again when its own has changed."""

    slug: str
    keys: list[dict]
    written: dict[str, float]
    demos: set[str]
    files: tuple[str, ...]
    versions: dict[str, str]

    @property
    def order(self) -> list[str]:
        """Ids of the exercises, as they stand in the notebook."""
        return list(self.versions)

    def only(self, exercises: set[str]) -> "Assignment":
        """The same notebook with some of its exercises."""
        keys = [key for key in self.keys if key["id"] in exercises]
        written = {name: points for name, points in self.written.items() if name in exercises}
        return Assignment(self.slug, keys, written, self.demos, self.files, self.versions)


def load_assignment(slug: str) -> Assignment:
    """Everything that grading a notebook needs.

    Raises:
        UserError: a key is missing, or older than the sources.
    """
    if stale := stale_files(slug):
        raise UserError(f"{slug}: missing or out of date: {', '.join(stale)}; run `make build` first")
    _, exercises = load(slug)
    notebook = nbformat.read(NOTEBOOKS / f"{slug}.ipynb", as_version=4)
    demos = {cell.id for cell in notebook.cells if "demo" in cell.metadata.get("tags", [])}
    keys, written, versions = [], {}, {}
    for exercise in exercises:
        if exercise.kind == "written":
            written[exercise.id] = exercise.points
            basis = repr(exercise.points).encode()
        else:
            path = key_paths(slug, exercise.id)[0]
            keys.append(read_key(path))
            basis = path.read_bytes() + repr(sorted(demos)).encode()
        versions[exercise.id] = hashlib.sha256(basis).hexdigest()
    return Assignment(slug, keys, written, demos, files_of(slug), versions)
