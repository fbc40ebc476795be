"""The checklist and the zip of the final project: what they say about notebooks that lack something, and that they change nothing."""

import hashlib
import json
import shutil
import zipfile

import pytest
import torch

from dlcourse import quality as quality_module
from dlcourse.__main__ import main
from dlcourse.quality import quality
from dlcourse.submission import NAME, checklist, pack

EXERCISES = ("project_data", "project_model", "project_training", "project_performance")
ESSAYS = {"project_analysis": "word " * 350, "project_quality": "word " * 60}
GOOD = '''\
if PROJECT == "A":

    def load():
        """Read the images."""
        return 1

else:

    def load():
        """Read the texts."""
        raise NotImplementedError
'''


def cell(name, source, kind="code"):
    metadata = {"nbgrader": {"grade_id": name, "solution": True}} if name else {}
    return {"cell_type": kind, "metadata": metadata, "source": source.splitlines(keepends=True)}


@pytest.fixture
def hand_in(tmp_path):
    """A complete submission; returns a function that writes it with some cells replaced (None: left out)."""
    torch.save({"model": {"weight": torch.ones(3)}, "epoch": 2}, tmp_path / "checkpoint.pt")

    def write(project="A", extra=(), **replaced):
        sources = {**dict.fromkeys(EXERCISES, GOOD), **ESSAYS, **replaced}
        cells = [cell("", f'PROJECT = "{project}"  # the option\n'), *extra]
        cells += [cell(name, source, "markdown" if name in ESSAYS else "code") for name, source in sources.items() if source is not None]
        path = tmp_path / f"{NAME}.ipynb"
        path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return path

    return write


def state(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setattr("dlcourse.submission.exercise_ids", lambda folder: [*EXERCISES, "adam"])


def test_a_complete_submission(hand_in):
    path = hand_in()
    before = state(path.parent)
    found = checklist(path)
    assert found.complete and found.missing == [] and "Everything is there." in repr(found)
    assert state(path.parent) == before


def test_the_published_notebook_lacks_everything():
    from autograder.paths import NOTEBOOKS

    path = NOTEBOOKS / f"{NAME}.ipynb"
    if path.exists():
        missing = " ".join(checklist(path).missing)
        assert all(name in missing for name in (*EXERCISES, *ESSAYS))


@pytest.mark.parametrize(
    ("replaced", "says"),
    [
        ({"project_data": GOOD.replace("return 1", "raise NotImplementedError")}, "project_data: still to be written: load"),
        ({"project": "B"}, "project_model: still to be written: load"),
        ({"project": "D"}, 'PROJECT = "D"'),
        ({"project_model": None}, "project_model: no cell for it"),
        ({"project_model": "def f(:"}, "project_model: Python cannot read the cell"),
        ({"project_analysis": "*Write your answer here.*"}, "project_analysis: 4 words, 300 at least"),
        ({"project_quality": ""}, "project_quality: 0 words"),
        ({"extra": [cell("project_training", GOOD)]}, "project_training: 2 cells for it"),
    ],
)
def test_what_is_missing_is_named(hand_in, replaced, says):
    path = hand_in(**replaced)
    before = state(path.parent)
    found = checklist(path)
    assert not found.complete and any(says in text for text in found.missing), found
    assert state(path.parent) == before


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is not beside the notebook"),
        (b"not a checkpoint", "cannot be loaded with weights_only=True"),
        (Evil(), "cannot be loaded with weights_only=True"),
        ({"epoch": 1}, "holds no weights"),
        ({"w": torch.tensor([float("nan")])}, "not finite"),
    ],
)
def test_a_checkpoint_that_will_not_do(hand_in, content, says):
    path = hand_in()
    file = path.with_name("checkpoint.pt")
    file.unlink()
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    assert any(says in text for text in checklist(path).missing)


def test_a_checkpoint_that_is_too_large(hand_in, monkeypatch):
    monkeypatch.setattr("dlcourse.submission.MAX_BYTES", 100)
    path = hand_in()
    assert any("more than" in text for text in checklist(path).missing)
    with pytest.raises(ValueError, match="more than"):
        pack(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cells": 3}', "\ufffe", '{"cells": [3, {"metadata": {"nbgrader": 4}}]}'])
def test_a_broken_notebook_is_named_and_never_raises(tmp_path, text):
    path = tmp_path / f"{NAME}.ipynb"
    path.write_text(text, encoding="utf-8")
    assert not checklist(path).complete
    assert not checklist(tmp_path / "nowhere.ipynb").complete


def test_pack_writes_the_zip_and_nothing_else(hand_in, capsys):
    path = hand_in()
    before = state(path.parent)
    assert main(["submit", str(path)]) == 0
    with zipfile.ZipFile(path.with_suffix(".zip")) as archive:
        assert sorted(archive.namelist()) == [f"{NAME}.ipynb", "checkpoint.pt"]
        assert archive.read("checkpoint.pt") == path.with_name("checkpoint.pt").read_bytes()
    after = state(path.parent)
    assert after.pop(f"{NAME}.zip") and after == before
    assert "Hand in" in capsys.readouterr().out


def test_a_zip_of_something_incomplete_says_so(hand_in, capsys):
    path = hand_in(project_analysis="too short")
    assert main(["submit", str(path)]) == 1
    said = capsys.readouterr().out
    assert "Hand in" not in said and "what is missing stands above" in said and path.with_suffix(".zip").exists()


def test_pack_refuses_without_a_checkpoint_and_never_over_its_sources(hand_in, capsys):
    path = hand_in()
    with pytest.raises(ValueError, match="choose another name"):
        pack(path, path)
    path.with_name("checkpoint.pt").unlink()
    assert main(["submit", str(path)]) == 1
    assert "No zip was written" in capsys.readouterr().err and not path.with_suffix(".zip").exists()
    assert main(["submission", str(path)]) == 1


CLEAN = '"""A cell."""\n\nimport math\n\n\ndef area(radius):\n    """The area of a circle."""\n    return math.pi * radius**2\n'
needs_ruff = pytest.mark.skipif(quality({"a": CLEAN}).points is None and shutil.which("ruff") is None, reason="ruff is not installed")


@needs_ruff
@pytest.mark.parametrize(
    ("sources", "points", "says"),
    [
        ({"a": CLEAN}, 5.0, ""),
        ({"a": CLEAN, "b": 'def twice(radius):\n    """Two circles."""\n    return 2 * area(radius)\n'}, 5.0, ""),  # names of other cells
        ({"a": CLEAN + "import os\n"}, 4.5, "os"),
        ({"a": CLEAN + "\n\n# area(3)\n# print(area(4))\n"}, 4.0, "commented-out"),
        ({"a": CLEAN.replace('    """The area of a circle."""\n', "")}, 3.0, "area has no docstring"),
        ({"a": CLEAN + "import os  # noqa\n"}, 4.5, "os"),
        ({"a": CLEAN + "".join(f"import os{n}\n" for n in range(9))}, 2.0, ""),
        ({"a": "def f(:\n"}, 0.0, "cannot read"),
        ({"a": 'def f():\n    """Doc."""\n    raise NotImplementedError\n'}, 0.0, "no code of your own"),
        ({}, 0.0, "no code of your own"),
    ],
)
def test_quality(sources, points, says):
    found = quality(sources)
    assert found.points == points, found
    assert says in " ".join(found.findings)


def test_without_ruff_it_says_so(monkeypatch):
    monkeypatch.setattr(quality_module, "_ruff", lambda sources: None)
    found = quality({"a": CLEAN})
    assert found.points is None and "ruff is not installed" in found.findings[-1]
