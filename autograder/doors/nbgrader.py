"""An nbgrader course folder: `build/nbgrader`, ready for `nbgrader generate_assignment`, `autograde` and formgrader.

Grade with the full keys: `DLCOURSE_KEYS=<checkout>/autograder/keys nbgrader autograde <slug>`.
"""

import shutil
from pathlib import Path

from autograder.paths import BUILD, NOTEBOOKS, ROOT


def write_course(slugs: list[str]) -> Path:
    """Write sources and configuration; submissions, grades and the gradebook of an earlier run stay. Returns the folder."""
    folder = BUILD / "nbgrader"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "autograder" / "doors" / "nbgrader_config.py", folder)
    for slug in slugs:
        (folder / "source" / slug).mkdir(parents=True, exist_ok=True)
        shutil.copy(NOTEBOOKS / f"{slug}.ipynb", folder / "source" / slug)
    return folder
