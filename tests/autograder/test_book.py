"""The book: the student's cells with outputs, every figure described, nothing of a solution on any page."""

import nbformat
import pytest
from nbformat.v4 import new_output

from autograder.build import book
from autograder.build.leaks import leaks, page_text, secrets
from autograder.build.notebooks import solution_notebook, student_notebook
from autograder.build.write import load
from autograder.paths import BRANCH, REPOSITORY, ROOT, UserError, written_slugs

SLUGS = written_slugs()
SECRET = "printed by an answer or a check"


def ran(slug):
    """The reference as if executed: every cell has outputs, those that are followed by a description draw."""
    notebook = solution_notebook(*load(slug))
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], None]):
        if cell.cell_type != "code":
            continue
        marked = "nbgrader" in cell.metadata
        cell.outputs = [
            new_output("stream", text=SECRET if marked else "shown"),
            new_output("display_data", data={book.WIDGET: {"model_id": "1"}, "text/plain": "a bar"}),
        ]
        if following is not None and book.FIGURE in following.source and not marked:
            cell.outputs.append(new_output("display_data", data={"image/svg+xml": "<svg/>", "text/plain": "a figure"}))
    return notebook


def everything(page) -> str:
    """All text of a page's notebook, outputs and descriptions of figures too."""
    parts = []
    for cell in page.cells:
        parts += [cell.source, cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")]
        parts += [str(output.get("text", output.get("data"))) for output in cell.get("outputs", [])]
    return "\n".join(parts)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_shows_the_students_cells(slug):
    page = book.notebook_page(slug, ran(slug))
    nbformat.validate(page)
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    student = [cell for cell in student_notebook(*load(slug)).cells if cell.cell_type == "code" and cell.id != "set_up"]
    assert [cell.source for cell in code] == [cell.source for cell in student]
    assert f"colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/notebooks/{slug}.ipynb" in page.cells[0].source
    text = everything(page)
    assert "shown" in text and SECRET not in text and book.WIDGET not in text and "colab-badge.svg" not in text
    assert all(output.get("text") == "shown" or output.data.get("image/svg+xml") for cell in code for output in cell.outputs)
    assert leaks({f"notebooks/{slug}.html": text}, SLUGS) == []


@pytest.mark.parametrize("slug", SLUGS)
def test_every_figure_is_described(slug):
    page = book.notebook_page(slug, ran(slug))
    drawn = [cell for cell in page.cells if cell.cell_type == "code" and any("data" in output for output in cell.outputs)]
    assert drawn
    for cell in drawn:
        alt = cell.metadata.mystnb.image.alt
        assert len(alt) > 20 and not set("$`{}\\\n") & set(alt), alt


def test_a_figure_without_description_stops_the_build():
    notebook = ran(SLUGS[0])
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code" and "nbgrader" not in cell.metadata and cell.id != "set_up")
    cell.outputs.append(new_output("display_data", data={"image/svg+xml": "<svg/>"}))
    with pytest.raises(UserError, match="no description follows"):
        book.notebook_page(SLUGS[0], notebook)


def test_an_old_run_is_not_shown(tmp_path, monkeypatch):
    """A reference that was executed before the master changed is executed again; another one is not."""
    slug, runs = SLUGS[0], []
    path = tmp_path / "solutions" / f"{slug}.ipynb"
    path.parent.mkdir()

    def execute(slug):
        runs.append(slug)
        nbformat.write(ran(slug), path)
        return type("Execution", (), {"path": path})

    monkeypatch.setattr(book, "BUILD", tmp_path)
    monkeypatch.setattr(book, "execute_notebook", execute)
    book.executed(slug, say=lambda line: None)
    book.executed(slug, say=lambda line: None)
    assert runs == [slug]
    notebook = ran(slug)
    notebook.cells[3].source += "\nchanged = True"
    nbformat.write(notebook, path)
    book.executed(slug, say=lambda line: None)
    assert runs == [slug, slug]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_planted_secret_is_found(slug, tmp_path):
    """One line of every exercise, also in an attribute, marked up as Pygments does, or broken over two lines."""
    for exercise, lines in secrets(slug).items():
        for line in lines[:1]:
            escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
            marked = "<span>" + escaped.replace(" ", "</span>\n<span> ", 1) + "</span>"
            for number, body in enumerate((f"<p>{escaped}</p>", f'<img alt="{escaped}">', f"<pre>{marked}</pre>")):
                page = tmp_path / f"{number}.html"
                page.write_text(f"<html><body><p>before</p>{body}<p>after</p></body></html>")
                assert leaks({f"notebooks/{slug}.html": page_text(page)}, [slug]), (exercise, line, body)


def test_guides_and_our_own_pages_give_nothing_away():
    pages = [*(ROOT / "docs").rglob("*.md"), *(path for path in (ROOT / "site" / "pages").rglob("*") if path.is_file())]
    assert leaks({str(path.relative_to(ROOT)): path.read_text() for path in pages}, SLUGS) == []


@pytest.mark.parametrize(
    ("prose", "alt"),
    [
        ("*Figure:* Loss by step, *falling*\nto 0.1.\n\nMore.", "Loss by step, falling to 0.1."),
        ("*Figure:* $W_{xh}$ and `dull` at $\\sqrt{d_k}$", "W_xh and dull at square root of d_k"),
        ("*Figure:* 2 * 3, and **bold**", "2 * 3, and bold"),
    ],
)
def test_alt_text(prose, alt):
    assert book.alt_text(prose) == alt


def test_hints_are_markdown():
    source = "Text\n\n<details><summary>Hint</summary>Use `x`,\n$y$.</details>\n\nMore"
    assert book.open_details(source) == "Text\n\n<details><summary>Hint</summary>\n\nUse `x`,\n$y$.\n\n</details>\n\nMore"
