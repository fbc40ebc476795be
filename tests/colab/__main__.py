"""`make colab`: a notebook where nothing of the course is installed and no repository is on the disk, as in Colab.

An environment with the packages that Colab has, a stub of `google.colab`, an empty folder, and GitHub's addresses answered from a
fresh release (`internet.py`). Needs PyPI, or a mirror of it, and `openssl`. Kept in build/colab: the environment, the release, the results.
"""

import datetime
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from autograder.build.master import reference_code
from autograder.build.write import load
from autograder.handover.release import release
from autograder.paths import BUILD, NOTEBOOKS, ROOT
from tests.colab.internet import Internet

SLUG, EXERCISE = "06_attention", "attention_masks"
COLAB = ("torch", "torchvision", "numpy", "pandas", "matplotlib", "seaborn", "scikit-learn", "scipy", "tqdm", "ipykernel", "nbclient")
WORK = BUILD / "colab"
PYTHON = WORK / "venv" / "bin" / "python"
LARGEST_WHEEL = 3 * 10**6
OFFLINE = "from dlcourse.data import movie_reviews\nmovie_reviews()"


def main() -> None:
    """Raises AssertionError at the first thing that is not as it should be."""
    _environment()
    _remove_course()
    shutil.rmtree(WORK / "public", ignore_errors=True)
    release(WORK / "public", instructor=None)
    home = WORK / "home"
    shutil.rmtree(home, ignore_errors=True)
    (home / "content").mkdir(parents=True)
    internet = Internet(WORK / "public", WORK)
    online = _variables(home) | internet.environment()

    before = _packages()
    ran = _run("untouched", nbformat.read(NOTEBOOKS / f"{SLUG}.ipynb", as_version=4), online)
    added = sorted(set(_packages()) ^ set(before))
    assert len(added) == 1 and added[0].startswith("dlcourse"), f"the set-up cell changed {added}"
    assert any("archive" in line for line in internet.asked) and any("/data/" in line for line in internet.asked), internet.asked
    checks = [_text(cell) for cell in ran.cells if cell.id.endswith("_check")]
    assert checks and all("not answered yet" in text for text in checks), checks
    print(f"{SLUG}, untouched, from top to bottom: set-up cell {_seconds(ran.cells[2]):.1f} s; {len(checks)} checks say not answered yet")
    print("  asked of GitHub:", ", ".join(internet.asked))

    cells = {cell.id: cell for cell in ran.cells}
    answer = new_code_cell(reference_code(load(SLUG)[0].answer(EXERCISE)))
    imports = next(cell for cell in ran.cells if cell.cell_type == "code" and "from dlcourse import" in cell.source)
    sources = [cells["set_up"].source, imports.source, answer.source, cells[f"{EXERCISE}_check"].source]
    ran = _run("answered", new_notebook(cells=[new_code_cell(source) for source in sources]), online)
    assert "all parts pass" in _text(ran.cells[-1]), _text(ran.cells[-1])
    assert _seconds(ran.cells[0]) < 2, "the set-up cell installs what is there already"
    print(f"{EXERCISE}, answered: '{_text(ran.cells[-1])[:60]}'; set-up cell again: {_seconds(ran.cells[0]):.2f} s")

    shutil.rmtree(home / ".cache", ignore_errors=True)
    said = subprocess.run([PYTHON, "-c", OFFLINE], cwd=home, env=_variables(home) | _nowhere(), capture_output=True, text=True)
    assert said.returncode and "connect to the network once" in said.stderr, said.stderr
    print("without network:", said.stderr.strip().splitlines()[-1])
    given = _variables(home) | _nowhere() | {"DLCOURSE_DATA": str(WORK / "public" / "data")}
    subprocess.run([PYTHON, "-c", OFFLINE], cwd=home, env=given, check=True)
    print("without network, DLCOURSE_DATA set: the data are read")

    wheel = _wheel()
    assert wheel.stat().st_size <= LARGEST_WHEEL, f"{wheel.name} has {wheel.stat().st_size:,} bytes"
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes")


def _environment() -> None:
    """The packages of Colab, at the versions of requirements.lock."""
    ready = WORK / "venv" / ".ready"
    if ready.is_file():
        return
    print(f"Setting up {WORK / 'venv'}: some minutes, once", flush=True)
    subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "requirements.lock", *COLAB], check=True)
    ready.touch()


def _remove_course() -> None:
    subprocess.run([PYTHON, "-m", "pip", "uninstall", "--quiet", "--yes", "dlcourse"], check=True, capture_output=True)
    packages = next((WORK / "venv" / "lib").glob("python*")) / "site-packages"
    (packages / "google" / "colab").mkdir(parents=True, exist_ok=True)
    (packages / "google" / "colab" / "__init__.py").write_text('"""A stub."""\n')
    assert subprocess.run([PYTHON, "-c", "import dlcourse"], cwd="/", env={}, capture_output=True).returncode


def _variables(home: Path) -> dict[str, str]:
    """A clean environment: nothing that leads to this repository."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    path = f"{PYTHON.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return kept | {"HOME": str(home), "PATH": path, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}


def _nowhere() -> dict[str, str]:
    """A proxy that does not answer: no network."""
    return {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}


def _packages() -> list[str]:
    return subprocess.run([PYTHON, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout.splitlines()


def _run(name: str, notebook, variables: dict[str, str]):
    """The notebook with its outputs."""
    start, there = time.perf_counter(), WORK / f"{name}.ipynb"
    nbformat.write(notebook, there)
    command = [PYTHON, Path(__file__).with_name("drive.py"), there, there]
    subprocess.run(command, cwd=WORK / "home" / "content", env=variables, check=True)
    print(f"({time.perf_counter() - start:.0f} s)", end=" ")
    return nbformat.read(there, as_version=4)


def _seconds(cell) -> float:
    times = [datetime.datetime.fromisoformat(cell.metadata.execution[key]) for key in ("iopub.execute_input", "shell.execute_reply")]
    return (times[1] - times[0]).total_seconds()


def _text(cell) -> str:
    """What a cell shows, without markup."""
    shown = (output.get("text", "") or output.get("data", {}).get("text/html", "") for output in cell.outputs)
    return " ".join(re.sub("<[^>]*>", " ", "\n".join(shown)).split())


def _wheel() -> Path:
    shutil.rmtree(WORK / "wheel", ignore_errors=True)
    command = [PYTHON, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", WORK / "wheel", WORK / "public"]
    subprocess.run(command, check=True)
    return next((WORK / "wheel").glob("*.whl"))


main()
