"""The public repository: complete, installable, free of everything that students must not see; and nobody's files are lost."""

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest

from autograder.build.leaks import PASSAGE, SHORT
from autograder.build.master import cut_solution, solution_lines
from autograder.build.record import key_paths
from autograder.build.write import load
from autograder.cli import app
from autograder.handover import release as module
from autograder.handover.release import RECORD, release, write_instructors_files
from autograder.paths import BUILD, ROOT, SLUGS, UserError, written_slugs
from dlcourse.checks.key import read_key
from dlcourse.checks.wire import decode, encode

BINARY = (".npz", ".gz", ".png")
FOLDERS = {"notebooks", "dlcourse", "data", "docs"}
FILES = {"README.md", "LICENSE", "pyproject.toml", "environment.yml", ".gitignore", ".gitattributes", RECORD}


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    dest = tmp_path_factory.mktemp("release") / "student-repo"
    release(dest, instructor=None)
    return dest


@pytest.fixture
def dest(public, tmp_path):
    return shutil.copytree(public, tmp_path / "student-repo")


@pytest.fixture(scope="module")
def texts(public):
    """Every file of the release as text: notebooks' cells, keys decoded."""
    found = {}
    for path in sorted(path for path in public.rglob("*") if path.is_file()):
        name = path.relative_to(public).as_posix()
        if path.suffix == ".ipynb":
            found[name] = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        elif path.suffix == ".key":
            found[name] = repr(decode(path.read_bytes()))
        elif path.suffix not in BINARY:
            found[name] = path.read_text()
    return found


def stripped(text):
    return [line.strip() for line in text.splitlines() if len(line.strip()) > SHORT]


def passages(lines):
    return {tuple(lines[start : start + PASSAGE]) for start in range(len(lines) - PASSAGE + 1)}


def test_only_what_students_get(public):
    names = {path.relative_to(public).parts[0] for path in public.rglob("*")}
    assert names == FOLDERS | FILES
    assert {path.stem for path in (public / "notebooks").iterdir()} == set(written_slugs())
    for path in public.rglob("*"):
        if path.suffix in BINARY:
            assert path.read_bytes() == (ROOT / path.relative_to(public)).read_bytes()
    unfinished = [slug for slug in SLUGS if slug not in written_slugs()]
    assert not [path for path in public.rglob("*") for slug in unfinished if slug in path.name]


@pytest.mark.parametrize("slug", written_slugs())
def test_no_solution_rubric_or_misconception_in_any_file(slug, texts):
    """No passage of an answer in any file (probes call torch's own functions, and are compared too), no line of a written answer."""
    master, exercises = load(slug)
    given = {
        line
        for cell in master.cells
        if not cell.rubric and (cell.kind == "code" or not cell.exercise)
        for line in stripped(cut_solution(cell) if cell.exercise else cell.source)
    }
    everywhere = {name: set(stripped(text)) for name, text in texts.items()}
    in_a_row = {name: passages(stripped(text)) for name, text in texts.items()}
    for exercise in exercises:
        answer = master.answer(exercise.id)
        if exercise.kind == "written":
            for line in stripped(answer.source + "\n" + master.rubric(exercise.id)):
                assert not [name for name, lines in everywhere.items() if line in lines], (exercise.id, line)
            continue
        secret = [line for line in solution_lines(answer) if len(line) > SHORT and line not in given]
        for name, shown in in_a_row.items():
            assert not passages(secret) & shown, (exercise.id, name)
        mine = {name: lines for name, lines in everywhere.items() if slug in name and "/probes/" not in name}
        wrong = [new for mistake in exercise.misconceptions for _, new in [(mistake.old, mistake.new), *mistake.also]]
        for line in secret + [line for new in wrong for line in stripped(new) if line not in given]:
            assert not [name for name, lines in mine.items() if line in lines], (exercise.id, line)


@pytest.mark.parametrize("slug", written_slugs())
def test_no_hidden_case_in_any_key(slug, public):
    for exercise in load(slug)[1]:
        if exercise.kind != "code":
            continue
        content = (public / "dlcourse" / "checks" / "keys" / slug / f"{exercise.id}.key").read_bytes()
        cases = [case for part in decode(content)["parts"] for case in part["cases"]]
        given = {encode([case["inputs"], case["secret"]]) for case in cases}
        hidden = [
            case
            for part in read_key(key_paths(slug, exercise.id)[0])["parts"]
            for case in part["cases"]
            if case["hidden"]
        ]
        assert hidden and not any(case["hidden"] for case in cases)
        assert not given & {encode([case["inputs"], case["secret"]]) for case in hidden}


def test_address_is_the_one_setting(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "REPOSITORY", "uni/deep-course")
    monkeypatch.setattr(module, "BRANCH", "spring")
    files = module.public_files()
    assert b'"https://raw.githubusercontent.com/uni/deep-course/spring/data/"' in files["dlcourse/data.py"]
    readme = files["README.md"].decode()
    assert "git+https://github.com/uni/deep-course`" in readme and "cd deep-course" in readme
    assert "uni/deep-course/blob/spring/notebooks/06_attention.ipynb" in readme and "dlcourse/dlcourse" not in readme


def test_wheel_is_small_and_works_alone(public, tmp_path):
    """What Colab's pip makes of the repository: small, with all keys, usable without it."""
    source = shutil.copytree(public, tmp_path / "repo")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        tmp_path,
        source,
    ]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("dlcourse-*.whl")
    assert wheel.stat().st_size < 3_000_000
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        file.extractall(tmp_path / "site")
    keys = {path.relative_to(public).as_posix() for path in (public / "dlcourse").rglob("*.key")}
    assert keys and keys <= set(names) and not [name for name in names if "autograder" in name or "solutions" in name]
    program = (
        "import dlcourse; from dlcourse import check; import dlcourse.training, dlcourse.plotting, dlcourse.data\n"
        "def leaky_relu(*a): raise NotImplementedError\n"
        "print(dlcourse.__file__); print(check('attention_masks').text)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert str(tmp_path / "site") in run.stdout and "padding_mask" in run.stdout


def test_a_second_release_changes_nothing_and_keeps_what_is_not_ours(dest):
    (dest / ".git").mkdir()
    (dest / ".git" / "config").write_text("theirs")
    (dest / ".github").mkdir()
    (dest / ".github" / "own.yml").write_text("theirs")
    done = release(dest, instructor=None)
    assert (done.written, done.removed, done.kept) == ([], [], [])
    assert (dest / ".git" / "config").read_text() == (dest / ".github" / "own.yml").read_text() == "theirs"


def test_a_new_release_updates_and_removes_its_own_old_files_alone(dest):
    record = json.loads((dest / RECORD).read_text())
    for name, now in (
        ("notebooks/old.ipynb", "released"),
        ("old/gone.py", "released"),
        ("notebooks/edited.ipynb", "edited"),
    ):
        (dest / name).parent.mkdir(exist_ok=True)
        (dest / name).write_text(now)
        record[name] = module.hashlib.sha256(b"released").hexdigest()
    (dest / "LICENSE").write_text("an older text")
    record["LICENSE"] = module.hashlib.sha256(b"an older text").hexdigest()
    (dest / RECORD).write_text(json.dumps(record))
    done = release(dest, instructor=None)
    assert (
        done.written == ["LICENSE"]
        and done.removed == ["notebooks/old.ipynb", "old/gone.py"]
        and done.kept == ["notebooks/edited.ipynb"]
    )
    assert not (dest / "old").exists() and (dest / "notebooks" / "edited.ipynb").exists()
    assert "MIT License" in (dest / "LICENSE").read_text()


def test_somebodys_changes_are_not_overwritten(dest):
    (dest / "README.md").write_text("my own words")
    (dest / "LICENSE").unlink()
    with pytest.raises(UserError, match="somebody changed README.md since the last release"):
        release(dest, instructor=None)
    assert (dest / "README.md").read_text() == "my own words" and not (dest / "LICENSE").exists()


def full(folder):
    folder.mkdir()
    (folder / "thesis.txt").write_text("important")


def damaged(record):
    def prepare(folder):
        folder.mkdir()
        (folder / RECORD).write_text(record)

    return prepare


def linked(folder):
    folder.mkdir()
    (folder / RECORD).write_text("{}")
    (folder / "notebooks").symlink_to(folder.parent)


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (full, "neither empty nor an earlier release"),
        (lambda folder: folder.write_text("x"), "is a file"),
        (damaged("no json"), "is damaged"),
        (damaged("[1]"), "is damaged"),
        (damaged('{"../../thesis.txt": ""}'), "is damaged"),
        (linked, "link to another place"),
    ],
)
def test_refused_folders_stay_as_they_are(tmp_path, prepare, says):
    prepare(tmp_path / "dest")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=says):
        app(["release", str(tmp_path / "dest"), "--public-only"], standalone_mode=False)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("place", [ROOT, ROOT.parent, ROOT / "notebooks", ROOT / "public"])
def test_the_instructors_repository_is_no_place_for_it(place):
    with pytest.raises(UserError, match="holds the solutions"):
        release(place, instructor=None)


def test_hidden_cases_and_public_files_stay_apart(tmp_path):
    for instructor in (tmp_path / "repo" / "instructor", tmp_path / "repo"):
        with pytest.raises(UserError, match="hidden cases"):
            release(tmp_path / "repo", instructor)
    with pytest.raises(UserError, match="hidden cases"):
        release(BUILD / "release" / "student-repo", BUILD / "release")
    assert not (tmp_path / "repo").exists()


def test_stale_notebooks_are_not_published(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "stale_files", lambda slug: [f"notebooks/{slug}.ipynb"])
    with pytest.raises(UserError, match="not up to date: notebooks/01_fundamentals.ipynb"):
        release(tmp_path / "repo", instructor=None)
    assert not (tmp_path / "repo").exists()


def test_instructors_files(tmp_path):
    write_instructors_files(tmp_path, slugs=["06_attention"])
    assert (tmp_path / "nbgrader" / "source" / "06_attention" / "06_attention.ipynb").exists()
    assert (tmp_path / "nbgrader" / "nbgrader_config.py").exists() and list(
        (tmp_path / "nbgrader" / "keys").rglob("*.key")
    )
    content = (tmp_path / "gradescope" / "06_attention.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert (
            any(re.search(r"keys/06_attention/\w+\.key", name) for name in file.namelist())
            and "run_autograder" in file.namelist()
        )
