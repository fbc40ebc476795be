"""Collecting: what Canvas, Moodle, Gradescope and nbgrader let one download, in their names, to the grading layout."""

import csv
import io
import json
import os
import zipfile

import nbformat
import pytest

from autograder.cli import app
from autograder.grading.batch import find_submissions
from autograder.handover import unpack
from autograder.handover.collect import collect
from autograder.paths import NOTEBOOKS, UserError

SIX = (NOTEBOOKS / "06_attention.ipynb").read_bytes()
METADATA = b"""---
submission_123456:
  :submitters:
  - :name: Jane Doe
    :email: jane.doe@uni.edu
    :sid: '1001'
  - :name: Bob Lee
    :email: bob@uni.edu
  :created_at: 2026-03-01 10:00:00.000000000 Z
  :score: 3.0
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    tests: []
submission_123999:
  :submitters:
  - :name: Jane Doe
    :email: jane.doe@uni.edu
"""


def notebook(answer=""):
    """A small notebook that a student may have handed in."""
    cells = [nbformat.v4.new_code_cell(f"answer = {answer!r}", id="cell")]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()


def write(path, content, when=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if when:
        os.utime(path, (when, when))
    return path


def zipped(files, when=(2026, 3, 1, 12, 0, 0), change=None):
    """A zip as bytes; `change` may spoil the ZipInfo of each member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, when)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change:
                change(info)
            archive.writestr(info, content)
    return file.getvalue()


def answers(out):
    """student/notebook/file -> what it answers, for everything in place."""
    found = {}
    for path in sorted(out.glob("*/*/*")):
        text = path.read_bytes()
        name = "/".join(path.relative_to(out).parts)
        found[name] = "".join(json.loads(text)["cells"][0]["source"]) if path.suffix == ".ipynb" else text
    return found


def whys(result, kind="not placed"):
    return {outcome.source: outcome.why for outcome in result.of(kind)}


def test_canvas(tmp_path):
    """The platform's number of an upload says which is the newest, whatever the file's own name."""
    files = {
        "doejane_12345_700_06_attention.ipynb": notebook(1),
        "doejane_LATE_12345_900_06_attention-2.ipynb": notebook(3),
        "doejane_12345_800_06_attention-1.ipynb": notebook(2),
        "o'neilsam_7_801_attention.ipynb": notebook("odd"),
        "leebob_67_802_06_attention (1).ipynb": notebook("bob"),
        "leebob_67_803_essay.pdf": b"%PDF",
        "anon_AbC1d_804_06_attention.ipynb": notebook("nobody"),
        "leebob_67_805_notes.ipynb": notebook("notes"),
        "__MACOSX/._leebob_67_802_06_attention.ipynb": b"\0",
    }
    write(tmp_path / "in" / "submissions.zip", zipped(files))
    result = collect(tmp_path / "in", tmp_path / "out")
    assert answers(tmp_path / "out") == {
        "anon_AbC1d/06_attention/06_attention.ipynb": "answer = 'nobody'",
        "doejane_12345/06_attention/06_attention.ipynb": "answer = 3",
        "leebob_67/06_attention/06_attention.ipynb": "answer = 'bob'",
    }
    assert len(result.of("older")) == 2
    assert "neither a notebook" in whys(result)["submissions.zip/leebob_67_803_essay.pdf"]
    assert "neither its name nor its cells" in whys(result)["submissions.zip/leebob_67_805_notes.ipynb"]
    assert "whose it is" in whys(result)["submissions.zip/o'neilsam_7_801_attention.ipynb"]
    assert [item.student for item in find_submissions(tmp_path / "out")] == ["anon_AbC1d", "doejane_12345", "leebob_67"]
    account = list(csv.DictReader(io.StringIO((tmp_path / "out" / "collected.csv").read_text())))
    assert len(account) == 8 and {row["what"] for row in account} == {"new", "older", "not placed"}


def test_moodle(tmp_path):
    """A folder of names with numbers, in a zip or not; of copies in one folder the higher number, between downloads the later time."""
    folder = "Zoë Núñez_4711_assignsubmission_file_"
    first = {f"{folder}/06_attention.ipynb": notebook(1), f"{folder}/06_attention (1).ipynb": notebook(2)}
    write(tmp_path / "in" / "a.zip", zipped(first))
    write(tmp_path / "in" / "Bob Lee_4712_assignsubmission_file_" / "06_attention.ipynb", notebook("bob"))
    write(tmp_path / "in" / "Ann Po_4713_assignsubmission_file_06_attention.ipynb", notebook("flat"))
    collect(tmp_path / "in", tmp_path / "out")
    place = "Zoë_Núñez/06_attention/06_attention.ipynb"
    assert answers(tmp_path / "out") == {
        place: "answer = 2",
        "Bob_Lee/06_attention/06_attention.ipynb": "answer = 'bob'",
        "Ann_Po/06_attention/06_attention.ipynb": "answer = 'flat'",
    }
    later = zipped({f"{folder}/06_attention.ipynb": notebook(3)}, (2026, 3, 8, 12, 0, 0))
    write(tmp_path / "in" / "b.zip", later)
    assert [outcome.student for outcome in collect(tmp_path / "in", tmp_path / "out").of("updated")] == ["Zoë_Núñez"]
    assert answers(tmp_path / "out")[place] == "answer = 3"


def test_two_people_of_one_name_and_undecidable_versions_are_listed(tmp_path):
    folder = tmp_path / "in"
    for number in (1, 2):
        write(folder / f"Bob Lee_{number}_assignsubmission_file_" / "06_attention.ipynb", notebook(number))
    for name in ("06_attention.ipynb", "Attention.ipynb"):
        write(folder / "Eva Orr_3_assignsubmission_file_" / name, notebook(name), when=1_000_000_000)
    result = collect(folder, tmp_path / "out")
    assert answers(tmp_path / "out") == {}
    assert sorted({why.split(" (")[0] for why in whys(result).values()}) == [
        "several different versions, and nothing says which is the newest",
        "two people are called Bob_Lee",
    ]


def test_gradescope(tmp_path):
    """The list in the export says who stands behind a folder; a group's work is everybody's."""
    root = "assignment_9_export"
    files = {
        f"{root}/submission_metadata.yml": METADATA,
        f"{root}/submission_123456/06_attention.ipynb": notebook("group"),
        f"{root}/submission_123999/06_attention.ipynb": notebook("alone"),
        f"{root}/submission_5/06_attention.ipynb": notebook("whose?"),
    }
    write(tmp_path / "submissions.zip", zipped(files))
    result = collect(tmp_path / "submissions.zip", tmp_path / "out")
    assert answers(tmp_path / "out") == {
        "bob/06_attention/06_attention.ipynb": "answer = 'group'",
        "jane.doe/06_attention/06_attention.ipynb": "answer = 'alone'",
    }
    assert list(whys(result)) == [f"submissions.zip/{root}/submission_5/06_attention.ipynb"]


def test_nbgrader_layout_and_patterns(tmp_path):
    """Its own layout, the example of zip_collect, and names of one's own."""
    write(tmp_path / "in" / "ann" / "06_attention" / "06_attention.ipynb", notebook("ann"))
    for time, answer in (("2016-01-30-15-00-00", 1), ("2016-01-31-15-00-00", 2)):
        write(tmp_path / "in" / f"ps1_bitdiddle_attempt_{time}_06_attention.ipynb", notebook(answer))
    collect(tmp_path / "in", tmp_path / "out")
    assert answers(tmp_path / "out") == {
        "ann/06_attention/06_attention.ipynb": "answer = 'ann'",
        "bitdiddle/06_attention/06_attention.ipynb": "answer = 2",
    }
    write(tmp_path / "own" / "week6" / "s123-06_attention.ipynb", notebook("own"))
    pattern = r"(?P<student_id>s\d+)-(?P<file_id>\w+\.ipynb)"
    collect(tmp_path / "own", tmp_path / "out2", pattern)
    assert list(answers(tmp_path / "out2")) == ["s123/06_attention/06_attention.ipynb"]


def test_the_cells_tell_a_notebook_whose_name_does_not(tmp_path):
    """A renamed notebook is known by its answer cells; one whose name and cells disagree is listed."""
    write(tmp_path / "in" / "doejane_1_2_my final answers.ipynb", SIX)
    write(tmp_path / "in" / "leebob_3_4_01_fundamentals.ipynb", SIX)
    result = collect(tmp_path / "in", tmp_path / "out")
    assert list(answers(tmp_path / "out")) == ["doejane_1/06_attention/06_attention.ipynb"]
    assert "named like 01_fundamentals" in whys(result)["leebob_3_4_01_fundamentals.ipynb"]


def test_checkpoints_go_with_the_final_project_alone(tmp_path):
    """Beside the notebook, in a folder or in the zip that a student made; with another notebook it has no place."""
    pack = zipped({"work/09_final_project.ipynb": notebook("project"), "work/checkpoint.pt": b"weights"})
    write(tmp_path / "in" / "submissions.zip", zipped({"doejane_1_5_project.zip": pack}))
    write(tmp_path / "in" / "leebob_2_6_09_final_project.ipynb", notebook("bob"))
    write(tmp_path / "in" / "leebob_2_7_checkpoint-1.pt", b"bob's")
    write(tmp_path / "in" / "Ann Po_4_assignsubmission_file_" / "06_attention.ipynb", notebook("ann"))
    write(tmp_path / "in" / "Ann Po_4_assignsubmission_file_" / "checkpoint.pt", b"of what?")
    result = collect(tmp_path / "in", tmp_path / "out")
    assert answers(tmp_path / "out") == {
        "Ann_Po/06_attention/06_attention.ipynb": "answer = 'ann'",
        "doejane_1/09_final_project/09_final_project.ipynb": "answer = 'project'",
        "doejane_1/09_final_project/checkpoint.pt": b"weights",
        "leebob_2/09_final_project/09_final_project.ipynb": "answer = 'bob'",
        "leebob_2/09_final_project/checkpoint.pt": b"bob's",
    }
    assert list(whys(result).values()) == ["no 09_final_project.ipynb was handed in beside it"]


def test_what_is_in_place_is_never_replaced_by_something_older(tmp_path):
    def run(upload, answer):
        folder = tmp_path / f"in{upload}"
        write(folder / f"doejane_1_{upload}_06_attention.ipynb", notebook(answer))
        return collect(folder, tmp_path / "out")

    place = tmp_path / "out" / "doejane_1" / "06_attention" / "06_attention.ipynb"
    assert run(20, "new").of("new") and run(20, "new").of("unchanged")
    assert "what is there is newer" in run(10, "old").of("kept")[0].why
    assert run(30, "newer").of("updated")
    place.write_bytes(notebook("mended by hand"))
    assert "changed by somebody else" in run(40, "newest").of("kept")[0].why
    assert place.read_bytes() == notebook("mended by hand")


def test_a_student_cannot_hand_in_for_another(tmp_path):
    """Names inside of what a student made do not count."""
    write(tmp_path / "in" / "Eve X_1_assignsubmission_file_" / "leebob_2_3_06_attention.ipynb", notebook("eve's"))
    pack = zipped({"leebob_2_3_06_attention.ipynb": notebook("eve's")})
    write(tmp_path / "in" / "evex_9_4_pack.zip", pack)
    write(
        tmp_path / "in" / "fay_1_5_pack.zip",
        zipped({"Bob Lee_8_assignsubmission_file_/06_attention.ipynb": notebook("fay's")}),
    )
    result = collect(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out" / "leebob_2").exists() and not (tmp_path / "out" / "Bob_Lee").exists()
    assert all("may be by" in why for why in whys(result).values() if "name" not in why)


def test_odd_names_are_told_and_harm_nothing(tmp_path):
    """Empty names, terminal codes, formulas and bytes that are no text: listed in a form that can be printed and opened."""
    pack = zipped({"": b"x", ".": b"x", "a\x1b[31m\n.txt": b"", "good/doejane_1_2_06_attention.ipynb": notebook()})
    write(tmp_path / "in" / "week.zip", pack)
    write(tmp_path / "in" / "=cmd()_x.ipynb", notebook())
    write(tmp_path / "in" / os.fsdecode(b"\xff_1_2_06_attention.ipynb"), notebook())
    result = collect(tmp_path / "in", tmp_path / "out")
    assert list(answers(tmp_path / "out")) == ["doejane_1/06_attention/06_attention.ipynb"]
    assert len(result.of("not placed")) == 5 and all(outcome.source.isprintable() for outcome in result.outcomes)
    rows = list(csv.reader(io.StringIO((tmp_path / "out" / "collected.csv").read_text())))
    assert "'=cmd()_x.ipynb" in [row[0] for row in rows]


def test_hostile_zips(tmp_path, monkeypatch):
    """Nothing is written outside, nothing large is unpacked; the good files in the same download are placed."""
    monkeypatch.setattr(unpack, "RATIO_FROM", 100_000)
    monkeypatch.setattr(unpack, "MOST_MEMBERS", 50)

    def link(info):
        info.external_attr = 0o120777 << 16

    good = "doejane_1_1_06_attention.ipynb"
    locked = bytearray(zipped({good: notebook()}))
    locked[locked.index(b"PK\x01\x02") + 8] |= 1  # the central directory's flag of encryption
    twice = zipped({"b.zip": zipped({"06_attention.ipynb": notebook()})})
    zips = {
        "traversal": zipped({"../../escaped.ipynb": notebook(), "/tmp/absolute.ipynb": notebook()}),
        "windows": zipped({"..\\..\\escaped.ipynb": notebook(), "C:\\escaped.ipynb": notebook()}),
        "link": zipped({"06_attention.ipynb": b"/etc/passwd"}, change=link),
        "bomb": zipped({"06_attention.ipynb": b" " * 20_000_000}),
        "many": zipped({f"{number}.ipynb": b"{}" for number in range(51)}),
        "locked": bytes(locked),
        "broken": b"PK\x03\x04 and no more",
        "deep": zipped({"a.zip": twice}),
        "empty": b"",
    }
    for name, content in zips.items():
        write(tmp_path / "a" / "in" / f"{name}x_2_3_{name}.zip", content)
    write(tmp_path / "a" / "in" / good, notebook("good"))
    (tmp_path / "a" / "in" / "linked_1_2_06_attention.ipynb").symlink_to("/etc/passwd")
    result = collect(tmp_path / "a" / "in", tmp_path / "a" / "out")
    assert list(answers(tmp_path / "a" / "out")) == ["doejane_1/06_attention/06_attention.ipynb"]
    refused = {
        name: " ".join(why for source, why in whys(result).items() if name in source) for name in [*zips, "linked"]
    }
    for name, says in {"traversal": "leads out", "windows": "leads out", "link": "link", "bomb": "bomb", "many": "more than 50",
                       "locked": "password", "broken": "no zip", "deep": "zip in a zip", "empty": "no zip", "linked": "link"}.items():  # fmt: skip
        assert says in refused[name], (name, refused[name])
    assert not list(tmp_path.rglob("escaped*")) and not list((tmp_path / "a" / "out").glob(".collecting*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "there is no folder"),
        (["empty"], "there is no file"),
        (["full", "--pattern", "("], "no regular expression"),
        (["full", "--pattern", "x"], "needs a group"),
        (["full", "--out", "full/out"], "choose a folder outside"),
        (["full", "--out", "full/x.ipynb"], "choose a folder outside"),
        (["full", "--out", "a file"], "a file"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "full" / "x.ipynb", b"{}")
    write(tmp_path / "a file", b"")
    with pytest.raises(UserError, match=says):
        app(["collect", *arguments, *([] if "--out" in arguments else ["--out", "out"])], standalone_mode=False)


def test_command_lists_what_it_left(tmp_path, capsys):
    write(tmp_path / "in" / "submissions.zip", zipped({"doejane_1_2_06_attention.ipynb": notebook(), "notes.txt": b""}))
    app(["collect", str(tmp_path / "in"), "--out", str(tmp_path / "out")], standalone_mode=False)
    said = capsys.readouterr().out
    assert "submissions.zip/notes.txt: neither a notebook" in said and "1 new" in said and "1 not placed" in said
