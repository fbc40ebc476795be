"""Marks for gradebooks: columns as the platforms take them, totals by weight, names matched or listed, nothing a spreadsheet would run."""

import csv

import pytest
from openpyxl import load_workbook

from autograder.cli import app
from autograder.grading.batch import COLUMNS
from autograder.handover.export import export
from autograder.handover.marks import marks, totals
from autograder.paths import SLUGS, UserError
from autograder.weights import WEIGHTS

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,06 Attention (555),02 ANN (556),Current Score
,,,,,Manual Posting,,
    Points Possible,,,,,10.00,40,(read only)
"Doe, Jane",12345,s1,jane@uni.edu,A,1.00,39.00,20
"Lee, Bob",67,s2,bob@uni.edu,B,,38.00,20
"Lee, Sam",68,s3,sam@uni.edu,B,,,0
"Student, Test",69,,aabbcc,A,,,0
"""
MOODLE = """First name,Last name,ID number,Institution,Department,Email address,Course total (Real)
Jane,Doe,1001,,,jane@uni.edu,-
Zoë,Núñez,1002,,,zoe@uni.edu,-
Bob,Lee,1003,,,bob@uni.edu,-
Bob,Lee,1004,,,bob2@uni.edu,-
"""


def write_grades(out, rows):
    """OUT/grades.csv from (student, notebook, exercise, points, max_points, status)."""
    out.mkdir(exist_ok=True)
    with open(out / "grades.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*row, ""] for row in rows)
    return out


@pytest.fixture
def out(tmp_path):
    return write_grades(
        tmp_path / "graded",
        [
            ("doejane_12345", "01_fundamentals", "adam", 6, 8, "partial"),
            ("doejane_12345", "06_attention", "masks", 3, 4, "partial"),
            ("doejane_12345", "06_attention", "essay", 0, 4, "manual"),
            ("bob@uni.edu", "06_attention", "masks", 4, 4, "passed"),
            ("bob@uni.edu", "06_attention", "essay", 4, 4, "graded"),
            ("ghost", "06_attention", "masks", 0, 4, "flagged"),
            ("ghost", "06_attention", "essay", 1, 4, "graded"),
        ],
    )


def table(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))


def test_weights_make_a_hundred():
    assert list(WEIGHTS) == list(SLUGS) and sum(WEIGHTS.values()) == 100
    assert [WEIGHTS[slug] for slug in SLUGS] == [5] * 8 + [60]


def test_totals(tmp_path):
    """A notebook gives its share of its weight; what is missing gives nothing; full marks everywhere are 100."""
    rows = [("full", slug, "a", 7, 7, "passed") for slug in SLUGS]
    rows += [("half", "09_final_project", "a", 5, 10, "manual"), ("half", "01_fundamentals", "a", 1, 4, "partial")]
    rows += [("none", "01_fundamentals", "a", 0, 4, "unanswered"), ("none", "01_fundamentals", "b", 0, 0, "manual")]
    lines = {line.student: line for line in totals(marks(write_grades(tmp_path / "out", rows)))}
    assert lines["full"].total == pytest.approx(100) and lines["none"].total == 0
    assert lines["half"].total == pytest.approx(30 + 1.25)
    assert lines["half"].provisional == {"09_final_project": "1 to be graded by hand"} and not lines["full"].provisional


def test_totals_command(out, capsys):
    app(["totals", str(out)], standalone_mode=False)
    assert "10 of 100 graded so far" in " ".join(capsys.readouterr().out.split())
    header, *lines = table(out / "totals.csv")
    assert header == ["student", "01_fundamentals (of 5)", "06_attention (of 5)", "total (of 100)", "provisional"]
    assert lines[1] == ["doejane_12345", "3.75", "1.88", "5.62", "06_attention: 1 to be graded by hand"]


def test_canvas(out, tmp_path):
    """Its own columns where it has them, scaled to its points; what it knows and we do not is written back."""
    (tmp_path / "roster.csv").write_text(CANVAS)
    done = export(out, "canvas", tmp_path / "roster.csv")
    assert table(done.path) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_fundamentals", "06 Attention (555)"],
        ["    Points Possible", "", "", "", "", "8", "10"],
        ["Lee, Bob", "67", "s2", "bob@uni.edu", "B", "", "10"],
        ["Doe, Jane", "12345", "s1", "jane@uni.edu", "A", "6", "3.75"],
    ]
    assert done.unmatched == {"ghost": "not on the list"} and done.without_marks == ["Lee, Sam"]
    assert any("scaled to the 10 points" in note for note in done.notes) and any(
        "new assignment" in note for note in done.notes
    )
    assert set(done.provisional) == {"doejane_12345", "ghost"}
    final = export(out, "canvas", tmp_path / "roster.csv", only_final=True)
    assert table(final.path)[-1][-1] == "1.00"  # what Canvas has stays


def test_canvas_without_a_roster_and_with_semicolons(out, tmp_path):
    assert table(export(out, "canvas").path)[0][:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    (tmp_path / "roster.csv").write_text(
        "\ufeff" + CANVAS.replace('"Doe, Jane"', "Doe Jane").replace(",", ";").replace('"', "")
    )
    assert "doejane_12345" not in export(out, "canvas", tmp_path / "roster.csv").unmatched


def test_moodle(tmp_path):
    """Identifiers, a grade and a feedback column; two people of one name cannot be told apart, and are listed."""
    names = ("Jane_Doe", "zoe@uni.edu", "Zoë_Núñez", "Bob_Lee")
    out = write_grades(tmp_path / "graded", [(name, "06_attention", "masks", 2.5, 4, "manual") for name in names])
    (tmp_path / "roster.csv").write_text(MOODLE)
    done = export(out, "moodle", tmp_path / "roster.csv")
    assert table(done.path) == [
        ["First name", "Last name", "ID number", "Email address", "06_attention", "06_attention (feedback)"],
        ["Jane", "Doe", "1001", "jane@uni.edu", "2.5", "2.5 of 4 points; still 1 to be graded by hand"],
    ]
    assert done.unmatched["Bob_Lee"] == "several on the list could be meant"
    assert "same person" in done.unmatched["Zoë_Núñez"] and "same person" in done.unmatched["zoe@uni.edu"]
    assert table(export(out, "moodle").path)[1][0] == "Bob_Lee"


def test_no_cell_is_a_formula(tmp_path):
    """Names that a spreadsheet would run, in every format; negative numbers stay numbers."""
    evil = ["=cmd|'/c calc'!A1", "+1+1", "@SUM(A1)", "-2+3", "\t=1"]
    out = write_grades(tmp_path / "graded", [(name, "06_attention", "=1+1", -1, 4, "manual") for name in evil])
    roster = "Student,ID,Section,=1+1\n" + "".join(f'"{name}",{number},=2\n' for number, name in enumerate(evil))
    (tmp_path / "roster.csv").write_text(roster)
    for form, people in (
        ("csv", None),
        ("moodle", None),
        ("canvas", None),
        ("canvas", tmp_path / "roster.csv"),
        ("csv", tmp_path / "roster.csv"),
    ):
        for line in table(export(out, form, people).path)[1:]:
            assert not [
                cell
                for cell in line
                if cell.startswith(("=", "+", "@", "\t")) or (cell.startswith("-") and not is_number(cell))
            ]
    book = load_workbook(export(out, "xlsx").path)
    cells = [cell for sheet in book for line in sheet.iter_rows() for cell in line]
    assert not [cell for cell in cells if cell.data_type == "f"] and -1 in [cell.value for cell in cells]


def is_number(text):
    try:
        return bool(float(text)) or True
    except ValueError:
        return False


def test_workbook(out):
    book = load_workbook(export(out, "xlsx").path)
    assert book.sheetnames == ["totals", "exercises", "weights"]
    assert [cell.value for cell in book["exercises"][1]] == list(COLUMNS)
    assert book["exercises"].max_row == 8 and book["totals"]["D3"].value == 5.62


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        (None, ["export", "OUT"], "grade first"),
        (None, ["totals", "OUT"], "grade first"),
        ("a,b\n", ["totals", "OUT"], "has no column student"),
        (",".join(COLUMNS) + "\nann,06_attention,a,many,4,passed,\n", ["totals", "OUT"], 'line 2: "many" is no number'),
        (",".join(COLUMNS) + "\nann,06_attention,a,nan,4,passed,\n", ["totals", "OUT"], "line 2: nan is no number"),
        (",".join(COLUMNS) + "\nann,06_attention\n", ["totals", "OUT"], "line 2"),
        (",".join(COLUMNS) + "\n", ["export", "OUT"], "no marks"),
        ("ok", ["export", "OUT", "--format", "blackboard"], "choose one of canvas, moodle, csv, xlsx"),
        ("ok", ["export", "OUT", "--format", "canvas", "--roster", "nowhere.csv"], "there is no file"),
        ("ok", ["export", "OUT", "--format", "canvas", "--roster", "OUT/grades.csv"], "none of the columns"),
        ("ok", ["export", "OUT", "--format", "canvas", "--roster", "OUT/list.csv"], "no list of Canvas's"),
        ("ok", ["export", "OUT", "--to", "OUT"], "cannot write"),
        ("ok", ["export", "OUT", "--format", "xlsx", "--to", "OUT"], "cannot write"),
        ("ok", ["export", "OUT", "--format", "xlsx", "--to", "OUT/list.csv/x.xlsx"], "cannot write"),
        ("ok", ["export", "OUT", "--roster", "OUT"], "cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, text, arguments, says):
    out = tmp_path / "graded"
    out.mkdir()
    if text == "ok":
        write_grades(out, [("ann", "06_attention", "a", 1, 1, "passed")])
    elif text:
        (out / "grades.csv").write_text(text)
    (out / "list.csv").write_text("Name,Email\nAnn,ann@uni.edu\n")
    with pytest.raises(UserError, match=says):
        app([argument.replace("OUT", str(out)) for argument in arguments], standalone_mode=False)


def test_command_says_what_is_left_to_do(out, tmp_path, capsys):
    (tmp_path / "roster.csv").write_text(CANVAS)
    app(["export", str(out), "--format", "canvas", "--roster", str(tmp_path / "roster.csv")], standalone_mode=False)
    said = capsys.readouterr().out
    assert "Not matched: ghost (not on the list)" in said and "without marks: Lee, Sam" in said
    assert "Provisional: doejane_12345, 06_attention: 1 to be graded by hand" in said and "marks_canvas.csv" in said
