"""An otter assignment: one exception-style test file for each exercise, and the zip that Gradescope and `otter run` take.

build/otter/<slug>/<slug>.ipynb       the student notebook
build/otter/<slug>/tests/<id>.py      a test case for each part, with the part's points
build/otter/<slug>/autograder.zip     tests, dlcourse, data and the full keys
"""

import contextlib
import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

from autograder.build.record import key_paths
from autograder.build.write import load
from autograder.paths import BUILD, NOTEBOOKS, ROOT
from dlcourse.checks.key import read_key

CONFIG = {"show_hidden": False, "pdf": False, "print_summary": False, "logo": False}
PYTHON = "3.11"  # of Gradescope's image
HEAD = '''\
"""Checks of the exercise {id}; the cases and what they should give stand in its key."""

OK_FORMAT = False

import pathlib

import dlcourse.checks
from dlcourse.checks.feedback import case_sentences
from dlcourse.checks.key import read_key
from otter.test_files import test_case

name = {name}
points = None
KEY = pathlib.Path(dlcourse.__file__).parent.parent / "keys" / {notebook} / {file}
verdicts = []


def require(part, env):
    """Run the whole exercise once, for the first of its parts; then look at one part."""
    if not verdicts:
        verdicts.append(dlcourse.checks.run_exercise(read_key(KEY), env))
    verdict = verdicts[0].parts[part]
    assert verdict.passed, " ".join([verdict.says, *(text for case in verdict.cases if not case.hidden for text in case_sentences(case))])
'''
CASE = """

@test_case(name={name}, points={points!r}, hidden=True)
def part_{number}(env):
    require({number}, env)
"""


def write_assignment(slug: str) -> Path:
    """Write the assignment of a notebook, and return its folder. Writing it twice gives the same bytes."""
    from otter.generate import main as generate

    folder = BUILD / "otter" / slug
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tests").mkdir(parents=True)
    shutil.copy(NOTEBOOKS / f"{slug}.ipynb", folder)
    (folder / "otter_config.json").write_text(json.dumps(CONFIG))
    (folder / "requirements.txt").write_text(_requirements())
    for name in ("dlcourse", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "keys", "rebuild.py"))
    for exercise in load(slug)[1]:
        if exercise.kind == "written":
            continue
        path = key_paths(slug, exercise.id)[0]
        (folder / "keys" / slug).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "keys" / slug)
        (folder / "tests" / f"{exercise.id}.py").write_text(test_file(read_key(path)))
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
    ):  # otter takes only files below the working folder
        generate(
            tests_dir="tests", output_path="autograder.zip", config="otter_config.json", requirements="requirements.txt",
            no_environment=True, python_version=PYTHON, files=["dlcourse", "data", "keys"],
        )  # fmt: skip
    _repack(folder / "autograder.zip")
    for name in ("dlcourse", "data", "keys"):
        shutil.rmtree(folder / name)
    return folder


def test_file(key: dict) -> str:
    """The text of an exercise's test file."""
    shares = sum(part["share"] for part in key["parts"])
    text = HEAD.format(
        id=key["id"],
        name=json.dumps(key["id"]),
        notebook=json.dumps(key["notebook"]),
        file=json.dumps(f"{key['id']}.key"),
    )
    for number, part in enumerate(key["parts"]):
        text += CASE.format(
            name=json.dumps(f"{number + 1}. {part['name']}"),
            points=float(key["points"] * part["share"] / shares),
            number=number,
        )
    return text


def _requirements() -> str:
    """What dlcourse needs, in the versions of the lock; torch by its plain version."""
    wanted = ("torch", "torchvision", "numpy", "matplotlib", "tqdm", "pandas", "scikit-learn", "ipywidgets")
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return "".join(f"{line}\n" for line in lines if re.split("[=;]", line)[0].lower() in wanted)


def _repack(path: Path) -> None:
    """The same members in a fixed order with fixed times, so that equal content means equal bytes."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in sorted(old.namelist())}
    draft = path.with_suffix(".new")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = (0o100755 if name in ("run_autograder", "setup.sh") else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, data)
    os.replace(draft, path)
