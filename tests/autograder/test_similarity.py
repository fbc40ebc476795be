"""Similarity: a copied and renamed pair is shown, an honest and an untouched one are not, and the page is safe to open."""

import json
import re

import pytest

from autograder.build.answers import answer_files, read_answers
from autograder.build.master import reference_code
from autograder.build.write import load
from autograder.cli import app
from autograder.handover import similarity as module
from autograder.handover.similarity import similar_pairs
from autograder.handover.similarity_page import similarity_page
from autograder.paths import NOTEBOOKS, UserError

SLUG = "06_attention"


def hand_in(folder, student, answers, more=()):
    """The student notebook with answers by exercise, and further cells."""
    notebook = json.loads((NOTEBOOKS / f"{SLUG}.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and cell["id"] in answers:
            cell["source"] = answers[cell["id"]]
    for number, source in enumerate(more):
        cell = {
            "cell_type": "code",
            "id": f"more{number}",
            "metadata": {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        notebook["cells"].append(cell)
    path = folder / student / SLUG / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook))


def styles():
    return [read_answers(path) for path in answer_files(SLUG)]


def renamed(source):
    """Another's answer with its local names changed, its comments gone and blank lines in between."""
    names = sorted(set(re.findall(r"^ +(\w+) = ", source, re.M)))
    for name in names:
        source = re.sub(rf"(?<![\w.]){name}\b(?!=)", f"my_{name}", source)
    source = re.sub(r"(?m)  # .*$|^ *# .*\n", "", source)
    return source.replace("\n    return", "\n\n    return")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ann's own work, Bob's copy of it, Cem's own work, two who wrote nothing, and two who wrote just the reference."""
    folder = tmp_path_factory.mktemp("submitted")
    first, second = styles()
    hand_in(folder, "ann", first)
    hand_in(folder, "bob", {name: renamed(source) for name, source in first.items()})
    hand_in(folder, "cem", second)
    reference = {
        entry.id: reference_code(load(SLUG)[0].answer(entry.id)) for entry in load(SLUG)[1] if entry.kind != "written"
    }
    for student, answers in (("dora", {}), ("eva", {}), ("fay", reference), ("gil", reference)):
        hand_in(folder, student, answers)
    (folder / "hal" / SLUG).mkdir(parents=True)
    (folder / "hal" / SLUG / f"{SLUG}.ipynb").write_bytes(b"no notebook")
    return folder


def test_only_the_copied_pair_is_shown(folder):
    pairs, compared = similar_pairs(folder)
    assert [(pair.left, pair.right) for pair in pairs] == [("ann", "bob")]
    assert pairs[0].share > 0.8 and pairs[0].look == "structure" and compared == 3
    assert [name for pair in similar_pairs(folder, 0.02)[0] for name in (pair.left, pair.right)] == ["ann", "bob"]


def test_passages_are_the_copied_cells_line_by_line(folder):
    """A marked line stands in the other's cell too, up to names."""
    for left, right in similar_pairs(folder)[0][0].passages:
        assert left.cell == right.cell
        marked = [line for line, shared in left.lines if shared]
        assert marked and len(marked) > 0.4 * len([line for line, _ in left.lines if line.strip()])


def test_a_verbatim_copy_that_follows_the_reference_is_found_by_its_wording(tmp_path):
    """Same comments and names around the reference's structure."""
    master, exercises = load(SLUG)
    names = [exercise.id for exercise in exercises if exercise.kind == "code"][:6]
    remark = "    # here I first thought about the shapes of {} and wrote them down, as in the lecture of monday\n"
    answers = {
        name: re.sub(
            r"(\n {4}(?! |\"))", "\n" + remark.format(name) + r"    ", reference_code(master.answer(name)), count=1
        )
        for name in names
    }
    for student in ("ann", "bob"):
        hand_in(tmp_path, student, answers)
    pairs, _ = similar_pairs(tmp_path)
    assert [(pair.left, pair.right, pair.look) for pair in pairs] == [("ann", "bob", "wording")]


def test_what_many_have_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "COMMON", 2)
    for student in ("ann", "bob", "cem"):
        hand_in(tmp_path, student, styles()[0])
    assert similar_pairs(tmp_path)[0] == []


def test_page_is_escaped_self_contained_and_fair(tmp_path):
    cell = "# <script>alert(1)</script> & co\n" + "\n".join(
        f"value{n} = [{n} * '<b>' for i in range({n})] + [{n}]" for n in range(20)
    )
    for student in ("<img src=x>", "bob"):
        hand_in(tmp_path, student, {}, [cell])
    pairs, compared = similar_pairs(tmp_path)
    page = similarity_page(pairs, compared)
    assert "<script" not in page and "<img" not in page and "&lt;script&gt;" in page and "&lt;img src=x&gt;" in page
    assert not re.search(r"(src|href)=\"(?!#)|https?://|@import", page) and "color-scheme: light dark" in page
    assert "does not say that anybody did wrong" in page
    assert not re.search(r"cheat|plagiari|guilty|suspect|offen[cs]e|copied|stole", page, re.IGNORECASE)
    assert "<mark>" in page


def test_command(folder, tmp_path, capsys):
    app(["similarity", str(folder), "--out", str(tmp_path / "page.html")], standalone_mode=False)
    assert "ann, bob" in capsys.readouterr().out and "ann and bob" in (tmp_path / "page.html").read_text()
    with pytest.raises(UserError, match="share between 0 and 1"):
        app(["similarity", str(folder), "--least", "3"], standalone_mode=False)
    with pytest.raises(UserError, match="there is no folder"):
        app(["similarity", str(tmp_path / "nowhere")], standalone_mode=False)
    with pytest.raises(UserError, match="cannot write"):
        app(["similarity", str(folder), "--out", str(tmp_path)], standalone_mode=False)
