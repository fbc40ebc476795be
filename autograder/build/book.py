"""The book: executed notebooks without their solutions, the guides and the API as one static site, `make site`.

What a page shows of a notebook is the student's cells, never the reference's. From the executed reference come outputs alone, and
not those of answer and check cells.
"""

import html
import re
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

from autograder.build.execute import execute_notebook
from autograder.build.leaks import leaks, page_text
from autograder.build.notebooks import solution_notebook, student_notebook
from autograder.build.write import load
from autograder.paths import BRANCH, BUILD, REPOSITORY, ROOT, UserError, written_slugs

SITE = BUILD / "site"
FIGURE = "*Figure:*"
IMAGES = ("image/svg+xml", "image/png")
WIDGET = "application/vnd.jupyter.widget-view+json"  # progress bars: dead on a page, and they would load scripts from the network
MATHJAX = ("LICENSE", "es5/tex-svg.js", "es5/input/tex/extensions")  # formulas as SVG: no fonts to load
SHOWN_LEAKS = 10
NOTE = """\
```{note}
Answers are left out: they are yours to write. Outputs and figures are those of the notebook with right answers.
```
"""


def build_site(slugs: list[str] | None = None, folder: Path = SITE, say=print) -> Path:
    """Prepare the pages, run Sphinx, search every page for what must not be there. Returns the site's first page.

    Raises:
        UserError: Sphinx warns or fails, a figure is not described, or something of a solution is on a page.
    """
    slugs = slugs or written_slugs()
    start = time.monotonic()
    source, pages = folder / "source", folder / "html"
    prepare(source, slugs, say)
    say(f"Sphinx ({time.monotonic() - start:.0f} s) ...")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html", "-c", str(ROOT / "site")]
    shutil.rmtree(pages, ignore_errors=True)
    done = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(source), str(pages)], capture_output=True, text=True
    )
    if done.returncode:
        raise UserError(f"Sphinx is not content:\n{(done.stdout + done.stderr).strip()}")
    shutil.rmtree(pages / "_sources", ignore_errors=True)
    (pages / "_static" / "webpack-macros.html").unlink(missing_ok=True)  # a template that the theme leaves behind
    if found := leaks({str(path.relative_to(pages)): page_text(path) for path in sorted(pages.rglob("*.html"))}, slugs):
        shutil.rmtree(pages)  # nobody shall publish it
        raise UserError(
            "something is on a page that must not be there; the pages are removed:\n" + "\n".join(found[:SHOWN_LEAKS])
        )
    megabytes = sum(path.stat().st_size for path in pages.rglob("*") if path.is_file()) / 1e6
    count = len(list(pages.rglob("*.html")))
    say(f"{count} pages, {megabytes:.0f} MB, {time.monotonic() - start:.0f} seconds: {pages / 'index.html'}")
    return pages / "index.html"


def prepare(source: Path, slugs: list[str], say=print) -> None:
    """Write everything that Sphinx reads: our own pages, the guides, the notebooks, MathJax."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "site" / "pages", source)
    shutil.copytree(ROOT / "docs", source / "guides", dirs_exist_ok=True)
    rows = []
    for slug in slugs:
        page = notebook_page(slug, executed(slug, say))
        nbformat.write(page, source / "notebooks" / f"{slug}.ipynb")
        rows.append(contents_row(slug, page))
    listing = source / "notebooks" / "index.md"
    listing.write_text(listing.read_text().replace("CONTENTS", "\n".join(rows)))
    package = Path(find_spec("mathjax").submodule_search_locations[0]) / "static" / "mathjax"
    for name in MATHJAX:
        there = source / "_static" / "mathjax" / name.removeprefix("es5/")
        there.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (package / name).is_dir() else shutil.copy)(package / name, there)


def executed(slug: str, say=print) -> nbformat.NotebookNode:
    """The executed reference notebook; run now if there is none, or if it is not of today's master."""
    path = BUILD / "solutions" / f"{slug}.ipynb"
    wanted = [cell.source for cell in solution_notebook(*load(slug)).cells]
    if path.exists():
        notebook = nbformat.read(path, as_version=4)
        if [cell.source for cell in notebook.cells] == wanted:
            return notebook
    say(f"running {slug} ...")
    return nbformat.read(execute_notebook(slug).path, as_version=4)


def notebook_page(slug: str, reference: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The student's notebook with the outputs of the reference's other cells, ready for MyST-NB.

    Raises:
        UserError: a figure is not followed by its description, or a cell has no counterpart that ran.
    """
    page = student_notebook(*load(slug))
    ran = {cell.id: cell for cell in reference.cells}
    for cell, following in zip(page.cells, [*page.cells[1:], None], strict=True):
        if cell.cell_type != "code":
            continue
        if "nbgrader" not in cell.metadata:
            if cell.id not in ran or ran[cell.id].source != cell.source:
                raise UserError(f"{slug}: the executed notebook does not have the cell {cell.id}: make execute")
            cell.outputs = clean(ran[cell.id].outputs)
        cell.metadata = {}
        if any(kind in output.get("data", {}) for output in cell.outputs for kind in IMAGES):
            if following is None or FIGURE not in following.source:
                raise UserError(f"{slug}: no description follows the figure of the cell that starts {cell.source[:60]!r}")
            cell.metadata = {"mystnb": {"image": {"alt": alt_text(following.source)}}}
    title, rest = page.cells[1].source.split("\n", 1)
    top = new_markdown_cell(f"{title}\n\n{colab_link(slug)}\n\n{NOTE}\n{rest}", id="title")
    page.cells = [top, *(cell for cell in page.cells[2:] if cell.id != "set_up")]  # the badge is a picture on the network
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = open_details(cell.source)
    return page


def clean(outputs: list) -> list:
    """Outputs without progress bars and without anything that belongs to one run."""
    kept = [output for output in outputs if WIDGET not in output.get("data", {})]
    for output in kept:
        if "execution_count" in output:
            output.execution_count = None
    return kept


def colab_link(slug: str) -> str:
    """A link that opens the student's notebook in Colab, as HTML."""
    url = f"https://colab.research.google.com/github/{REPOSITORY}/blob/{BRANCH}/notebooks/{slug}.ipynb"
    return f'<p><a class="colab" href="{html.escape(url)}">Open in Colab</a></p>'


def alt_text(prose: str) -> str:
    """The description of a figure in one line of plain text: without Markdown, and formulas as one would say them."""
    paragraph = prose[prose.index(FIGURE) + len(FIGURE) :].split("\n\n")[0]
    text = re.sub(r"\\sqrt\{([^{}]*)\}", r"square root of \1", paragraph)
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", text)
    text = re.sub(r"\\(times|cdot)\b", "×", text)
    text = re.sub(r"[$`{}]|\\[,;!]|\*+(?=\S)|(?<=\S)\*+", "", text).replace("\\", "")
    return re.sub(r"\s+", " ", text).strip()


def open_details(source: str) -> str:
    """Folded hints with their text as Markdown, so that code and formulas in them are set."""
    return re.sub(
        r"<details>\s*<summary>(.*?)</summary>(.*?)</details>",
        lambda found: f"<details><summary>{found[1]}</summary>\n\n{found[2].strip()}\n\n</details>",
        source,
        flags=re.DOTALL,
    )


def contents_row(slug: str, page: nbformat.NotebookNode) -> str:
    """A row of the list of notebooks: the title, and the time it takes if the notebook says so."""
    first = page.cells[0].source
    title = first.splitlines()[0].lstrip("# ")
    minutes = re.search(r"\*\*Time:\*\*\s*([^.\n]*)", first)
    return f"| [{title}]({slug}.ipynb) | {minutes[1] if minutes else ''} | {colab_link(slug)[3:-4]} |"


def main() -> int:
    """`python -m autograder.build.book [notebook ...]`"""
    try:
        build_site(sys.argv[1:] or None)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
