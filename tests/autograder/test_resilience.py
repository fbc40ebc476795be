"""What the grader survives: being killed at any moment, workers that die, and a thousand broken notebooks."""

import copy
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from autograder.build.write import load
from autograder.grading.batch import grade_class
from autograder.paths import NOTEBOOKS, ROOT
from tests.autograder.helpers import EXERCISE, SLUG, hand_in, right

pytestmark = pytest.mark.resilience  # some minutes, and moments that depend on the machine: `make resilience`
JUNK = [None, 0, -1, 1e308, "", "x" * 5000, "\ud800", [], {}, [[]], {"": 0}, True, "../../x", "<script>", "\0", "solution", "adam_check"]


def grading(submitted, out, *options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "autograder", "grade", str(submitted), "--out", str(out), "--workers", "1", *options]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def small_class(folder, students=8):
    for number in range(students):
        hand_in(folder, f"s{number:02}", right() if number % 2 else None)


def sandboxes():
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    return [line for line in listing.splitlines() if "inside.py" in line and "sealed" in line]


def test_killed_at_twenty_moments_and_started_again(tmp_path):
    """As many kills as it takes to get through, twenty at the least: the table is the same as without, byte for byte."""
    small_class(tmp_path / "in")
    rows = grade_class(tmp_path / "in", tmp_path / "undisturbed")
    others = len(sandboxes())
    rng, kills, text = random.Random(0), 0, ""
    start = time.monotonic()
    process = grading(tmp_path / "in", tmp_path / "reference")
    process.communicate()
    whole = time.monotonic() - start
    for round_number in range(20):
        out = tmp_path / f"out{round_number // 5}"  # five kills a folder, so that all of its life is met
        process = grading(tmp_path / "in", out)
        time.sleep(rng.uniform(0.3, 1.0) * whole)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    for number in range(4):
        process = grading(tmp_path / "in", tmp_path / f"out{number}")
        text, _ = process.communicate()
        assert process.returncode == 0, text
        for name in ("grades.csv",):
            assert (tmp_path / f"out{number}" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert kills >= 10 and len(rows) == 8 * len(load(SLUG)[1])
    time.sleep(2)
    assert len(sandboxes()) <= others  # killed runs leave no sandbox behind


def start(*command):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_cluster_of_processes_one_of_which_is_killed(tmp_path):
    """A scheduler and two workers on the network; one dies in mid-run; the grades are those of a local run."""
    small_class(tmp_path / "in", 12)
    expected = grade_class(tmp_path / "in", tmp_path / "local")
    contact = tmp_path / "scheduler.json"
    processes = [start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(contact))]
    try:
        while not contact.exists() or not contact.read_text():
            time.sleep(0.1)
        address = json.loads(contact.read_text())["address"]
        workers = [start("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(2)]
        processes += workers
        killed = []

        def progress(done, total, submission, kept):
            if done == 2:
                workers[0].kill()
                killed.append(done)

        rows = grade_class(tmp_path / "in", tmp_path / "remote", scheduler=address, progress=progress)
        assert killed and rows == expected
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def mutated(notebook: dict, rng: random.Random) -> bytes:
    """A notebook with something wrong: in its bytes, its JSON, its cells, their metadata, or their ids."""
    kind = rng.choice(["bytes", "cut", "value", "value", "cells", "metadata", "ids", "source"])
    if kind in ("bytes", "cut"):
        raw = bytearray(json.dumps(notebook).encode())
        if kind == "cut":
            return bytes(raw[: rng.randrange(len(raw))])
        for _ in range(rng.randrange(1, 30)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        return bytes(raw)
    notebook = copy.deepcopy(notebook)
    cells = notebook["cells"]
    if kind == "value":
        for _ in range(rng.randrange(1, 4)):
            place = rng.choice([place for place in (notebook, notebook.get("metadata"), rng.choice(cells)) if isinstance(place, dict)])
            place[rng.choice(list(place) or ["x"])] = rng.choice(JUNK)
    elif kind == "cells":
        rng.shuffle(cells)
        del cells[rng.randrange(len(cells)) :]
        cells.append(rng.choice(JUNK))
    elif kind == "metadata":
        for cell in rng.sample(cells, 10):
            cell["metadata"] = rng.choice([*JUNK, {"nbgrader": rng.choice(JUNK)}, {"tags": rng.choice(JUNK)}, {"nbgrader": {"grade_id": rng.choice(JUNK)}}])
    elif kind == "ids":
        for cell in rng.sample(cells, 10):
            cell["id"] = rng.choice([*JUNK, cells[0].get("id")])
    else:
        for cell in rng.sample(cells, 3):
            cell["source"] = rng.choice([*JUNK, ["x", 3, None], "raise SystemExit", "import os; os._exit(0)", "def f(:", "%%bash\nexit", "!ls", "x = [" * 60])
    return json.dumps(notebook).encode("utf-8", "surrogatepass")


def test_a_thousand_broken_notebooks(tmp_path):
    """Every one gets all its rows, with a status; none stops the batch."""
    rng = random.Random(2026)
    notebook = json.loads((NOTEBOOKS / f"{SLUG}.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["id"] == EXERCISE:
            cell["source"] = right()
    for number in range(1000):
        hand_in(tmp_path / "in", f"f{number:04}", raw=mutated(notebook, rng))
    rows = grade_class(tmp_path / "in", tmp_path / "out", workers=2)
    assert len(rows) == 1000 * len(load(SLUG)[1])
    assert not [row for row in rows if row["status"] == "flagged"]
    statuses = {row["status"] for row in rows if row["exercise"] == EXERCISE}
    assert {"passed", "error", "missing"} <= statuses
