"""nbgrader's configuration for this course; `make build` copies it into the course folder."""

from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor


class RepairCells(NbGraderPreprocessor):
    """Puts a submission's nbgrader metadata back to the source's, so that no notebook stops the batch.

    Answers are found by grade_id, else by cell id (both are the exercise's id); of copies the last one keeps the name. All check cells
    come from the source and run at the end, on what the whole notebook defines, as they do in the other two graders.
    """

    def preprocess(self, nb, resources):
        at = resources["nbgrader"]
        with Gradebook(at["db_url"]) as gradebook:
            book = gradebook.find_notebook(at["notebook"], at["assignment"])
            points = {cell.name: cell.max_score for cell in book.grade_cells}
            answers = {cell.name for cell in book.solution_cells}
            sources = {cell.name: cell for cell in book.source_cells}
            claims = [(cell, grade_id(cell), cell.get("id")) for cell in nb.cells]
            for cell in nb.cells:
                cell.metadata.pop("nbgrader", None)
            checks = points.keys() - answers
            nb.cells = [cell for cell, name, identity in claims if not {name, identity} & checks]
            for name, source in sources.items():
                mine = [cell for cell, claimed, _ in claims if claimed == name] or [
                    cell for cell, _, identity in claims if identity == name
                ]
                mine = [cell for cell in mine if cell.cell_type == source.cell_type and "nbgrader" not in cell.metadata]
                meta = {
                    "schema_version": 3, "grade_id": name, "cell_type": source.cell_type, "locked": source.locked, "task": False,
                    "grade": name in points, "solution": name in answers,
                }  # fmt: skip
                meta |= {"points": points[name]} if name in points else {}
                if name in answers and mine:
                    mine[-1].metadata["nbgrader"] = meta
                elif name in points:  # a check, or a written answer that is gone
                    make = new_code_cell if source.cell_type == "code" else new_markdown_cell
                    nb.cells.append(make(source.source, metadata={"nbgrader": meta}))
        nb.nbformat, nb.nbformat_minor = 4, 5
        return nb, resources


class SkipDemonstrations(NbGraderPreprocessor):
    """Leaves out the cells that no exercise needs."""

    def preprocess(self, nb, resources):
        nb.cells = [cell for cell in nb.cells if "demo" not in cell.metadata.get("tags", [])]
        return nb, resources


def grade_id(cell):
    """The grade_id that a cell claims, if it is one."""
    meta = cell.metadata.get("nbgrader")
    name = meta.get("grade_id") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else None


def built_in(*names):
    """nbgrader's own preprocessors by name."""
    return [f"nbgrader.preprocessors.{name}" for name in names]


c = get_config()  # noqa: F821  nbgrader provides it
c.CourseDirectory.course_id = "dlcourse"
# No ClearSolutions: the starters are in place, and it would replace them by a stub of its own.
c.GenerateAssignment.preprocessors = built_in("LockCells", "CheckCellMetadata", "ComputeChecksums", "SaveCells")
c.Autograde.sanitize_preprocessors = [
    *built_in("ClearOutput"), RepairCells, SkipDemonstrations, *built_in("OverwriteKernelspec", "OverwriteCells", "CheckCellMetadata"),
]  # fmt: skip
c.Execute.timeout = 300  # seconds a cell: more than a check's own limit
c.Execute.interrupt_on_timeout = True
c.Execute.raise_on_iopub_timeout = False  # a loop that swallows the interrupt costs its own cell alone
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"(?s).*"  # a warning on stderr must not cost the points
