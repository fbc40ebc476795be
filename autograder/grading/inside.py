"""What runs inside the sandbox: imports torch once, then forks a child for every submission.

It is handed cells and inputs, and sends observations back; it never sees an expected value. Over a control socket come requests with
two file descriptors each: the request (a file in the wire format) and a pipe for the answer. The answer is a stream of frames, each of
8 bytes of length (little endian) and a message in the wire format, which also carries the request's number under "run":

    {"bound": [name, ...]}                                       what the cells that were left out would define, if they ran
    {"sign": clause, "name": ...}                                a cell that a person should look at (see `source`)
    {"start": "cell" | "exercise", "name": ...}                  before each cell and each exercise
    {"cell": name, "error": {...}}                               a cell that failed
    {"exercise": id, "part": n, "case": n, "outcome": {...}}     see dlcourse.checks.probe.observe_case
    {"end": true}

This file imports nothing of the autograder but its neighbours `cells` and `source`.
"""

import ctypes
import gc
import importlib
import os
import resource
import select
import socket
import sys

import cells
import matplotlib.pyplot  # noqa: F401  imported before the forks, so that no child has to
import source
import torch

import dlcourse.data
import dlcourse.plotting
import dlcourse.training  # noqa: F401
from dlcourse.checks.isolation import TimeLimit, time_limit
from dlcourse.checks.probe import describe_error, observe_exercise
from dlcourse.checks.watch import watch
from dlcourse.checks.wire import WireError, decode, encode

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWIPC = 0x00020000, 0x20000000, 0x08000000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 2, 4, 16384, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, LAST_CAPABILITY = 24, 38, 63
CAPABILITY_VERSION_3 = 0x20080522
MEMORY = 2 * 2**30  # bytes a child may allocate beyond what it was forked with
FILE_SIZE, OPEN_FILES, SCRATCH = 256 * 2**20, 256, "256m"
# All processes of a submission together; looked at every LOOK seconds, because limits of the system either count for one process alone
# or not for root. tmpfs is bounded by SCRATCH.
TOGETHER, PROCESSES, LOOK = 3 * 2**30, 64, 0.1
MAX_NAMES = 2000
OFTEN = ("pandas", "seaborn")  # what students import of their own accord, and takes a second

libc = ctypes.CDLL(None, use_errno=True)


def main(control: socket.socket, sealed: bool, modules: list[str]) -> None:
    """Serve requests until the socket closes.

    Args:
        control: where requests come from.
        sealed: whether this is a sandbox; without one, children are limited, but not sealed.
        modules: what notebooks import, loaded here once.
    """
    torch.set_num_threads(1)
    sys.modules["triton"] = None  # it compiles for GPUs; torch would load 70 MB of it at the first optimizer
    for name in [*OFTEN, *modules]:
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # notebooks guard what is optional; if it is needed, the cell that imports it says so
    _warm_up()
    gc.collect()
    gc.freeze()  # what is loaded now stays: collecting it in every child would only copy its pages
    own_pids = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if sealed else -1
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 2)
        if not message:
            return
        if message == b"kill":  # it crossed the child's own end on the way
            continue
        if sealed:  # children get a process namespace of their own: when the first of them ends, all of them do
            _system("setns", own_pids, CLONE_NEWPID)
            _system("unshare", CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            _child(control, sealed, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        _wait(control, child, sealed)


def _warm_up() -> None:
    """What is slow the first time, because it imports, compiles or fills tables: once here, not in every child."""
    layer = torch.nn.LSTM(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    with watch("nothing"):
        output, _ = layer(torch.nn.Embedding(2, 2)(torch.zeros(1, 1, dtype=torch.long)))
    torch.nn.functional.cross_entropy(output[0], torch.zeros(1, dtype=torch.long)).backward()
    optimizer.step()
    figure, axes = matplotlib.pyplot.subplots()
    figure.colorbar(axes.imshow(torch.zeros(2, 2)))
    axes.set_title("warm")
    matplotlib.pyplot.close(figure)


def _wait(control: socket.socket, child: int, sealed: bool) -> None:
    """Wait for the child, or kill it when it takes too much, or when the other side says so (or is gone); then report."""
    handle, word = os.pidfd_open(child), b"done"
    while True:
        ready, _, _ = select.select([control, handle], [], [], LOOK)
        if control in ready:
            control.recv(16)
        too_much = not ready and sealed and _takes_too_much()
        if too_much:
            word = b"much"
        if control in ready or too_much:
            os.kill(child, 9)
        if ready or too_much:
            break
    os.waitpid(child, 0)
    os.close(handle)
    control.send(word)


def _takes_too_much() -> bool:
    """Whether the processes of the submission at hand, all that are here but this one and bubblewrap's, are too many or too large."""
    processes = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]
    if len(processes) > PROCESSES:
        return True
    files: dict[tuple[int, int], int] = {}
    memory = 0
    for process in processes:
        try:
            with open(f"/proc/{process}/status") as file:
                fields = dict(line.split(":", 1) for line in file)
            memory += sum(int(fields.get(name, "0 kB").split()[0]) * 1024 for name in ("RssAnon", "VmSwap"))
            with os.scandir(f"/proc/{process}/fd") as descriptors:
                entries = [entry.stat() for entry in descriptors]
            files |= {(entry.st_dev, entry.st_ino): entry.st_blocks * 512 for entry in entries if entry.st_nlink == 0}
        except OSError:
            continue  # it has just ended
    return memory + sum(files.values()) > TOGETHER  # files without a name: memfd and the like live in memory


def _child(control: socket.socket, sealed: bool, request: int, answer: int) -> None:
    """A submission's own process: it never returns."""
    status = 1
    try:
        control.close()
        os.setsid()  # else kill(0) would reach this process's parent
        if sealed:
            _seal()
        _limit()
        with os.fdopen(request, "rb") as file:
            _serve(decode(file.read()), answer)
        status = 0
    except BrokenPipeError:
        status = 2
    finally:
        os._exit(status)


def _system(name: str, *arguments) -> None:
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _seal() -> None:
    """A private /tmp and /proc, and no privileges any more."""
    _system("unshare", CLONE_NEWNS | CLONE_NEWIPC)
    _system("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    for folder in (b"/tmp", b"/dev/shm"):
        _system("mount", b"tmpfs", folder, b"tmpfs", MS_NOSUID | MS_NODEV, f"size={SCRATCH}".encode())
    _system("mount", b"proc", b"/proc", b"proc", 0, None)
    os.chdir("/tmp")
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    _system("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header, data = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _system("capset", header, data)


def _limit() -> None:
    with open("/proc/self/status") as file:
        used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))
    for limit, value in [
        (resource.RLIMIT_DATA, used + MEMORY), (resource.RLIMIT_FSIZE, FILE_SIZE), (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ]:  # fmt: skip
        resource.setrlimit(limit, (value, value))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def _serve(request: dict, answer: int) -> None:
    """Run the cells, then every case of every exercise in the final namespace, as otter does."""
    run = request["run"]

    def send(message: dict) -> None:
        data = encode({**message, "run": run})
        view = memoryview(len(data).to_bytes(8, "little") + data)
        while view:
            view = view[os.write(answer, view) :]

    for name, content in request["files"].items():
        with open(name, "wb") as file:
            file.write(content.numpy().tobytes())
    _read_sources(request, send)
    namespace = cells.new_namespace()
    for cell in request["cells"]:
        send({"start": "cell", "name": cell["name"]})
        if error := _run_cell(cell, namespace, request["cell_seconds"]):
            send({"cell": cell["name"], "error": error})
    for exercise in request["exercises"]:
        send({"start": "exercise", "name": exercise["id"]})
        for part, case, outcome in observe_exercise(
            exercise["notebook"], exercise["parts"], namespace, exercise["seconds"]
        ):
            message = {"exercise": exercise["id"], "part": part, "case": case, "outcome": outcome}
            try:
                send(message)
            except WireError as error:
                send({**message, "outcome": {"error": {"type": "TooLarge", "message": str(error), "lines": []}}})
    send({"end": True})


def _read_sources(request: dict, send) -> None:
    """Report what can be seen before anything of the student's runs."""
    if request["left_out"]:
        bound = {name for text in request["left_out"] for name in source.bound_names(text)}
        send({"bound": sorted(bound)[:MAX_NAMES]})
    for cell in request["cells"]:
        if clause := source.sign_of_trickery(cell["source"]):
            send({"sign": clause, "name": cell["name"]})


def _run_cell(cell: dict, namespace: dict, seconds: float) -> dict | None:
    """Run a cell; what went wrong, if anything did."""
    try:
        with time_limit(seconds):
            cells.run_cell(cell["source"], cell["name"], namespace)
    except TimeLimit:
        return {
            "type": "TimeLimit",
            "message": f"the cell did not end within {seconds} seconds of computing",
            "lines": [],
        }
    except BaseException as error:  # an answer may raise anything, SystemExit too; it is reported to the other side
        return describe_error(error)
    return None


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sealed=sys.argv[2] == "sealed", modules=sys.argv[3:])
