"""Submissions that attack: each ends with its honest score or flagged with a reason, the neighbour keeps hers, and nothing is left running."""

import json
import os

import nbformat
import psutil
import pytest

from autograder.build.master import reference_code
from autograder.build.write import load
from autograder.grading.batch import grade_class
from autograder.paths import FULL_KEYS, NOTEBOOKS, ROOT

SLUG, EXERCISE = "06_attention", "attention_masks"
RIGHT = reference_code(load(SLUG)[0].answer(EXERCISE))
WRONG = "import torch\ndef padding_mask(lengths, max_len):\n    return torch.ones(1)\ncausal_mask = padding_mask\n"
MARKER = "/tmp/escaped_from_the_sandbox"
ANYTHING = {"passed", "partial", "failed", "error", "timeout", "flagged", "unanswered", "missing"}

# source of the answer cell -> points, and the statuses that may be: the honest score, or no points and a reason
ATTACKS = {
    "exits": ("import os\ndef padding_mask(lengths, max_len):\n    os._exit(0)\ncausal_mask = padding_mask\n", 0, {"error"}),
    "exits_at_once": ("raise SystemExit\n", 0, {"error"}),
    "aborts": ("import os\nos.abort()\n", 0, {"error"}),
    "kills_all": ("import os\ndef padding_mask(lengths, max_len):\n    os.kill(-1, 9)\ncausal_mask = padding_mask\n", 0, {"error"}),
    "kills_group": (f"{RIGHT}\nimport os\nos.kill(0, 9)\n", 1, {"passed"}),
    "kills_parent": (f"{RIGHT}\nimport os\ntry:\n    os.kill(os.getppid(), 9)\nexcept OSError:\n    pass\n", 0, {"passed", "error"}),
    "loops": ("def padding_mask(lengths, max_len):\n    while True:\n        pass\ncausal_mask = padding_mask\n", 0, {"timeout"}),
    "sleeps_in_orphan": (f"{RIGHT}\nimport os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(987)\n    os._exit(0)\n", 1, {"passed"}),
    "fork_bomb": ("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n", 0, {"error"}),
    "memory_bomb": ("import torch\ndef padding_mask(lengths, max_len):\n    return torch.ones(10**10).sum()\ncausal_mask = padding_mask\n", 0, {"error"}),
    "memory_in_files": ("import os\nfor _ in range(40):\n    fd = os.memfd_create('x')\n    for _ in range(12):\n        os.write(fd, bytes(20 * 2**20))\n", 0, {"error"}),
    "full_disk": (f"{RIGHT}\ntry:\n    with open('/tmp/x', 'wb') as f:\n        for _ in range(600):\n            f.write(bytes(2**20))\nexcept OSError:\n    pass\n", 1, {"passed"}),
    "output": (f"{RIGHT}\nimport sys\nfor _ in range(1000):\n    sys.stdout.write('x' * 10**6)\n", 1, {"passed"}),
    "large_answer": ("import torch\ndef padding_mask(lengths, max_len):\n    return torch.ones(50_000_000)\ncausal_mask = padding_mask\n", 0, {"failed", "error"}),
    "thread": (f"{RIGHT}\nimport threading\ndef forever():\n    while True:\n        pass\nthreading.Thread(target=forever, daemon=True).start()\n", 0, {"flagged"}),
    "patches_torch": (f"{WRONG}\nvars(torch)['allclose'] = vars(torch)['equal'] = lambda *a, **k: True\n", 0, {"failed", "error"}),
    "patches_torch_openly": (f"{RIGHT}\nimport torch\ntorch.allclose = lambda *a, **k: True\n", 0, {"flagged"}),
    "patches_tensor": (f"{WRONG}\ntorch.Tensor.__eq__ = lambda *a: torch.tensor(True)\n", 0, {"failed", "error", "flagged"}),
    "patches_numpy": (f"{WRONG}\nimport numpy\nvars(numpy)['allclose'] = lambda *a, **k: True\n", 0, {"failed", "error"}),
    "patches_builtins": (f"{WRONG}\nimport builtins\nvars(builtins)['len'] = lambda x: 1\nvars(builtins)['all'] = lambda x: True\n", 0, ANYTHING - {"passed"}),
    "patches_probe": (f"{WRONG}\nimport sys\nfor name, module in list(sys.modules.items()):\n    if name.startswith('dlcourse.checks'):\n"
                      "        for entry in list(vars(module)):\n            if callable(vars(module)[entry]):\n                vars(module)[entry] = lambda *a, **k: {}\n", 0, ANYTHING - {"passed"}),
    "forges_noise": (f"{RIGHT}\nimport os\nfor fd in range(3, 60):\n    try:\n        os.write(fd, b'forged' * 9)\n    except OSError:\n        pass\n", 0, {"flagged"}),
    "forges_answers": (f"{RIGHT}\nimport os, sys\nencode = vars(sys.modules['dlcourse.checks.wire'])['encode']\nfor fd in range(3, 60):\n    try:\n"
                       f"        data = encode({{'exercise': '{EXERCISE}', 'part': 0, 'case': 0, 'outcome': {{'observed': {{}}}}, 'run': 7}})\n"
                       "        os.write(fd, len(data).to_bytes(8, 'little') + data)\n    except OSError:\n        pass\n", 0, {"flagged"}),
    "forges_end": (f"{RIGHT}\nimport os, sys\nencode = vars(sys.modules['dlcourse.checks.wire'])['encode']\ndata = encode({{'end': True}})\nfor fd in range(3, 60):\n    try:\n"
                   "        os.write(fd, len(data).to_bytes(8, 'little') + data)\n    except OSError:\n        pass\n", 0, {"flagged", "error"}),
    "closes_pipe": (f"{RIGHT}\nimport os\nos.closerange(3, 256)\n", 0, {"error", "flagged"}),
    "pickle": (f"import os\nclass Evil:\n    def __reduce__(self):\n        return os.system, ('touch {MARKER}',)\ndef padding_mask(lengths, max_len):\n    return Evil()\ncausal_mask = padding_mask\n", 0, {"failed", "error"}),
    "hunts_objects": (f"{RIGHT}\nimport gc\nassert not [x for x in gc.get_objects() if isinstance(x, dict) and 'expected' in x and 'hidden' in x]\n", 0, {"flagged"}),
    "hunts_frames": (f"{RIGHT}\nimport inspect\nfor frame in inspect.stack():\n    assert 'expected' not in frame.frame.f_locals\n", 0, {"flagged"}),
    "hides_a_name": (f"{RIGHT}\nimport torch\nsoftmax = getattr(torch, 'soft' + 'max')\n", 0, {"flagged"}),
    "reads_keys": (f"{RIGHT}\nimport os\nfor path in ({str(ROOT / 'solutions')!r}, {str(ROOT / 'autograder')!r}, {str(FULL_KEYS)!r}):\n    assert not os.path.exists(path)\n"
                   "assert not os.listdir('/course/dlcourse/checks/keys')\n", 1, {"passed"}),
    "reads_neighbours": (f"{RIGHT}\nimport os\nassert not [name for name in os.listdir('/tmp')]\n", 1, {"passed"}),
    "environment": (f"{RIGHT}\nimport os\nassert 'INSTRUCTORS_TOKEN' not in os.environ\n", 1, {"passed"}),
    "network": (f"{RIGHT}\nimport socket\ntry:\n    socket.create_connection(('127.0.0.1', 22), 1)\n    raise RuntimeError('network')\nexcept OSError:\n    pass\n", 1, {"passed"}),
    "writes_outside": (f"{RIGHT}\nfor path in ({MARKER!r}, '/usr/x', '/course/x', {str(ROOT / 'x')!r}):\n    try:\n        open(path, 'w').write('x')\n    except OSError:\n        pass\n", 1, {"passed"}),
    "writes_gradebook": (f"{RIGHT}\nfor path in ('gradebook.db', '../gradebook.db', '../../../gradebook.db'):\n    try:\n        open(path, 'w').write('x')\n    except OSError:\n        pass\n", 1, {"passed"}),
    "redefines_check": (f"{WRONG}\ndef check(name):\n    return 1.0\n", 0, {"failed", "error"}),
    "recursion": ("import sys\nsys.setrecursionlimit(10**8)\ndef padding_mask(lengths, max_len):\n    return padding_mask(lengths, max_len)\ncausal_mask = padding_mask\n", 0, {"error", "timeout"}),
    "nested_answer": ("def padding_mask(lengths, max_len):\n    x = []\n    for _ in range(10_000):\n        x = [x]\n    return x\ncausal_mask = padding_mask\n", 0, {"failed", "error"}),
    "odd_object": ("class Odd:\n    def __getattribute__(self, name):\n        raise KeyboardInterrupt\ndef padding_mask(lengths, max_len):\n    return Odd()\ncausal_mask = padding_mask\n", 0, {"failed", "error"}),
    "equal_to_all": ("import torch\nclass Liar(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, function, types, args=(), kwargs=None):\n        return True\n"
                     "def padding_mask(lengths, max_len):\n    return torch.ones(1).as_subclass(Liar)\ncausal_mask = padding_mask\n", 0, {"failed", "error"}),
    "null_bytes": ("x = '\0'\n", 0, {"error"}),
    "nested_source": ("x = " + "(" * 5000 + ")" * 5000, 0, {"error"}),
    "shell": ("import os\nos.system('kill -9 -1')\n", 0, {"error", "missing"}),
}  # fmt: skip


def notebook_with(source):
    notebook = nbformat.read(NOTEBOOKS / f"{SLUG}.ipynb", as_version=4)
    next(cell for cell in notebook.cells if cell.id == EXERCISE).source = source
    return notebook


def place(folder, student):
    path = folder / student / SLUG / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """All attacks in one class, with an honest neighbour before and after; rows of the attacked exercise by student."""
    folder = tmp_path_factory.mktemp("hostile")
    submitted = folder / "submitted"
    for student, (source, _, _) in ATTACKS.items():
        place(submitted, student).write_text(json.dumps(notebook_with(source)))
    for student in ("a_neighbour", "z_neighbour"):
        place(submitted, student).write_text(json.dumps(notebook_with(RIGHT)))
    many = notebook_with(RIGHT)
    many.cells += [nbformat.v4.new_code_cell("pass")] * 100_000
    place(submitted, "many_cells").write_text(json.dumps(many))
    secret = folder / "secret.ipynb"
    secret.write_text(json.dumps(notebook_with("the_secret = 1")))
    place(submitted, "symlink").symlink_to(secret)
    odd = notebook_with(RIGHT)
    odd.cells.append(nbformat.v4.new_code_cell("pass", id="x", metadata={"nbgrader": {"grade_id": "../../../gradebook"}}))
    place(submitted, "..%2f..").write_text(json.dumps(odd))
    os.environ["INSTRUCTORS_TOKEN"] = "secret"
    try:
        rows = grade_class(submitted, folder / "out", workers=2)
    finally:
        del os.environ["INSTRUCTORS_TOKEN"]
    return folder / "out", rows


def rows_of(rows, student):
    return {row["exercise"]: row for row in rows if row["student"] == student}


@pytest.mark.parametrize("student", ATTACKS)
def test_honest_score_or_flagged(graded, student):
    _, points, statuses = ATTACKS[student]
    row = rows_of(graded[1], student)[EXERCISE]
    assert row["status"] in statuses
    assert row["points"] == (1 if row["status"] == "passed" else points)
    if row["status"] == "flagged":
        result = json.loads((graded[0] / "results" / student / f"{SLUG}.json").read_text())
        assert next(entry["message"] for entry in result["exercises"] if entry["exercise"] == EXERCISE)


def test_every_submission_has_all_its_rows(graded):
    exercises = {exercise.id for exercise in load(SLUG)[1]}
    for student in {row["student"] for row in graded[1]}:
        assert set(rows_of(graded[1], student)) == exercises
    assert len({row["student"] for row in graded[1]}) == len(ATTACKS) + 5


def test_neighbours_keep_their_grade(graded):
    for student in ("a_neighbour", "z_neighbour", "..%2f.."):
        assert rows_of(graded[1], student)[EXERCISE]["status"] == "passed"


def test_too_many_cells_and_links_are_refused_with_a_reason(graded):
    out, rows = graded
    for student, reason in (("many_cells", "100,1"), ("symlink", "symbolic link")):
        assert {row["status"] for row in rows_of(rows, student).values()} == {"error"}
        result = json.loads((out / "results" / student / f"{SLUG}.json").read_text())
        assert reason in result["exercises"][0]["message"]
    assert "the_secret" not in (out / "feedback" / "symlink" / f"{SLUG}.html").read_text()


def test_nothing_got_out_and_nothing_is_left(graded):
    assert not os.path.exists(MARKER) and not (ROOT / "x").exists()
    orphans = [process for process in psutil.process_iter(["ppid", "cmdline"]) if process.info["ppid"] == 1]
    left = psutil.Process().children(recursive=True) + orphans  # sandboxes of tests that run at the same time have parents of their own
    assert not [process for process in left if any("inside.py" in word for word in command_line(process))]


def command_line(process):
    """The words of a process's command line; none if it has just ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []
