"""JupyterLab with the notebooks in a real browser: what the tests of this folder drive."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from autograder.paths import NOTEBOOKS, ROOT

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
START_SECONDS, RUN_MS, SHORT_MS = 60, 300_000, 60_000
SETTINGS = {  # no question about news; every cell is in the page, in view or not
    "apputils-extension/notification": {"fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},
}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# The least contrast (WCAG 2) between a text and what it stands on, of all texts in an element.
CONTRAST = """element => {
  const parse = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0.5) return c; } return [255, 255, 255]; };
  const texts = [...element.querySelectorAll("*")].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  return Math.min(...texts.map(e => { const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))]; return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); }));
}"""


@contextlib.contextmanager
def jupyterlab(folder: Path, slug: str, theme: str = "light"):
    """A page of JupyterLab in which a copy of the notebook in `folder` is open; its server ends with the block.

    Args:
        folder: an empty one.
        slug: of the notebook.
        theme: of `THEMES`.
    """
    shutil.copy(NOTEBOOKS / f"{slug}.ipynb", folder)
    for name, values in {**SETTINGS, "apputils-extension/themes": {"theme": THEMES[theme]}}.items():
        path = folder / ".settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/lab"
    variables = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / ".settings"), "JUPYTER_CONFIG_DIR": str(folder / ".config"), "PYTHONPATH": str(ROOT),
        "DLCOURSE_OFFLINE": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--IdentityProvider.token=", f"--notebook-dir={folder}"]
    with open(folder / "server.log", "w") as log, sync_playwright() as play:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(address)
            browser = play.chromium.launch(executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=QUIET)
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(f"{address}/tree/{slug}.ipynb")
            opened(page)
            yield page
            browser.close()
        finally:
            server.terminate()
            server.wait()


def _wait_for(address: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(address, timeout=5)
            return
        time.sleep(0.2)
    raise TimeoutError(f"JupyterLab does not answer at {address}")


def opened(page) -> None:
    """Wait until the notebook is there, and its kernel waits for work."""
    page.wait_for_selector(".jp-Notebook .jp-CodeCell .cm-content", timeout=SHORT_MS)
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=SHORT_MS, state="attached")
    page.wait_for_timeout(1000)  # the kernel of the empty start page may be meant


def idle(page, timeout: int = RUN_MS) -> None:
    """Wait until no cell is marked as running."""
    page.wait_for_function("![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('*'))", timeout=timeout)


def cell_with(page, text: str):
    """The code cell whose source holds a text."""
    return page.locator(".jp-CodeCell").filter(has=page.locator(".cm-content", has_text=text)).first


def answer(page, text: str, source: str, check: str):
    """Put a source in the place of the cell with a text, run it and the check below it as a student does; the check's output."""
    cell_with(page, text).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")
    cell_with(page, check).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_timeout(200)  # until it is marked
    idle(page, SHORT_MS)
    return cell_with(page, check).locator(".jp-OutputArea-output").first


def run_all(page) -> None:
    """By the menu; returns when the last cell has run."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function("[...document.querySelectorAll('.jp-InputPrompt')].some(e => e.textContent.includes('*'))", timeout=SHORT_MS)
    idle(page)


def saved(page, path: Path):
    """Save, and read what is on the disk once all of it is."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+S")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        page.wait_for_timeout(200)
        if path.stat().st_mtime_ns != before:
            with contextlib.suppress(ValueError):
                return nbformat.reads(path.read_text(), as_version=4)
    raise TimeoutError(f"{path.name} is not saved")
