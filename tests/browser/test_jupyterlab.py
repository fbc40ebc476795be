"""A student's first hour in JupyterLab, as `docs/jupyterlab.md` tells it; needs chromium."""

import pytest

from tests.autograder.helpers import right
from tests.browser.lab import CONTRAST, answer, jupyterlab, opened, run_all, saved

pytestmark = pytest.mark.browser
SLUG, EXERCISE = "03_cnn", "conv_output_size"
START, CHECK = f"def {EXERCISE}(", f'check("{EXERCISE}")'
ROUNDED_UP = "Round down: a place where the kernel would stick out does not count."


def outputs(notebook, kind):
    return [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == kind]


def test_run_all_wrong_right_saved_reopened(tmp_path):
    path = tmp_path / f"{SLUG}.ipynb"
    with jupyterlab(tmp_path, SLUG) as page:
        run_all(page)
        ran = saved(page, path)
        code = [cell for cell in ran.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code) and not outputs(ran, "error")
        checks = [cell for cell in code if cell.id.endswith("_check")]
        assert checks and all("not answered yet" in str(cell.outputs) for cell in checks)
        wrong = right(EXERCISE, SLUG).replace("room // stride", "-(-room // stride)")
        assert ROUNDED_UP in answer(page, START, wrong, CHECK).inner_text()
        assert "all parts pass" in answer(page, START, right(EXERCISE, SLUG), CHECK).inner_text()
        kept = saved(page, path)
        page.reload()
        opened(page)
        assert page.get_by_text("all parts pass").count() == 1
    cells = {cell.id: cell for cell in kept.cells}
    assert cells[EXERCISE].source == right(EXERCISE, SLUG) and cells[EXERCISE].metadata.nbgrader.grade_id == EXERCISE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_verdict_can_be_read(tmp_path, theme):
    with jupyterlab(tmp_path, SLUG, theme) as page:
        answer(page, "from dlcourse import check", "from dlcourse import check", CHECK)
        shown = answer(page, START, right(EXERCISE, SLUG).replace("2 * padding", "padding"), CHECK)
        assert "Padding is added on both sides" in shown.inner_text()
        shown.locator("summary").first.click()
        assert shown.evaluate(CONTRAST) >= 4.5
        dark = page.evaluate("getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor") == "rgb(17, 17, 17)"
        assert dark == (theme == "dark")
        page.screenshot(path=tmp_path / f"{theme}.png")
