"""The sandbox: a process under bubblewrap that has torch loaded, and forks a sealed child for every submission.

What is bound into it: Python, the installed packages, `dlcourse`, the three files that run inside, and the bundled data, all read-only.
No solution, no key, no submission but the one at hand, no network, no environment of the instructor's.
"""

import ast
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time

from autograder.paths import NOTEBOOKS, ROOT, UserError
from dlcourse.checks.wire import WireError, decode, encode

INSIDE = "/course"
PYTHON = f"{INSIDE}/python"  # where the virtual environment stands inside
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "MPLBACKEND": "Agg", "MPLCONFIGDIR": "/tmp", "DLCOURSE_OFFLINE": "1",
    "DLCOURSE_PROFILE": "cpu", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1", "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip
MAX_FRAME = 64 * 2**20
MAX_ANSWER = 256 * 2**20
START_SECONDS = 120
CLOSE_SECONDS = 5
MAX_SECONDS = 1800  # whatever the messages say


class SandboxDied(Exception):
    """The process that forks the children is gone; a new sandbox is needed."""


def bubblewrap() -> str:
    """The path of bubblewrap.

    Raises:
        UserError: it is not installed.
    """
    path = shutil.which("bwrap")
    if not path:
        raise UserError("bubblewrap is not installed, and submissions are graded inside it: `sudo apt-get install bubblewrap`, "
                        "or grade code that you trust with --unsafe")  # fmt: skip
    return path


def command(control: int, unsafe: bool, modules: list[str]) -> list[str]:
    """The command line of the sandboxed process."""
    here = ROOT / "autograder" / "grading"
    if unsafe:
        return [sys.executable, str(here / "inside.py"), str(control), "open", *modules]
    arguments = [bubblewrap(), "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    # for the namespaces of the children, who lose it before any student's code runs
    arguments += ["--cap-add", "CAP_SYS_ADMIN"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for source, target in _binds():
        arguments += ["--ro-bind", str(source), str(target)]
    arguments += ["--tmpfs", f"{INSIDE}/dlcourse/checks/keys"]  # the public keys too stay outside
    for link in ("/lib", "/lib64", "/bin"):
        if os.path.islink(link):
            arguments += ["--symlink", os.readlink(link), link]
    for name, value in {**ENVIRONMENT, "PYTHONPATH": INSIDE}.items():
        arguments += ["--setenv", name, value]
    python = sys.executable.replace(sys.prefix, PYTHON, 1) if sys.prefix != sys.base_prefix else sys.executable
    return [*arguments, "--chdir", "/tmp", python, f"{INSIDE}/inside.py", str(control), "sealed", *modules]


def _binds() -> list[tuple]:
    """What Python, torch and the checks need: pairs of a path and where it stands inside.

    The virtual environment gets a place of its own, because a checkout may lie under /tmp, which is private to each child.
    """
    here = ROOT / "autograder" / "grading"
    system = ["/usr", "/etc/alternatives", "/etc/ld.so.cache", "/etc/fonts", os.path.realpath(sys.base_prefix)]
    system = [path for path in system if os.path.exists(path) and not (path != "/usr" and path.startswith("/usr/"))]
    binds = [(path, path) for path in system]
    if sys.prefix != sys.base_prefix:
        binds.append((sys.prefix, PYTHON))
    binds += [(ROOT / "dlcourse", f"{INSIDE}/dlcourse"), (ROOT / "data", f"{INSIDE}/data")]
    return binds + [(here / name, f"{INSIDE}/{name}") for name in ("inside.py", "cells.py", "source.py")]


def modules_of_notebooks(slugs: list[str]) -> list[str]:
    """What notebooks import outside of demonstrations, as they are handed out: loaded once, instead of by every submission."""
    found = set()
    for slug in slugs:
        for cell in json.loads((NOTEBOOKS / f"{slug}.ipynb").read_text())["cells"]:
            if cell["cell_type"] == "code" and "demo" not in cell["metadata"].get("tags", []):
                found |= _imports("".join(cell["source"]))
    return sorted(found)


def _imports(source: str) -> set[str]:
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # the set-up cell, with its `%pip`
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


class Sandbox:
    """One sandboxed process. Not safe for several threads at once: give each thread its own.

    Args:
        unsafe: without bubblewrap.
        modules: loaded before anything is run, see `modules_of_notebooks`.

    Raises:
        UserError: it does not start.
    """

    def __init__(self, unsafe: bool = False, modules: list[str] | None = None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(ROOT)} if unsafe else {}
        self.process = subprocess.Popen(
            command(theirs.fileno(), unsafe, modules or []), pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        theirs.close()
        self.control = ours
        if self._word(START_SECONDS) != b"ready":
            self.process.kill()
            reason = self.process.stderr.read().decode(errors="replace").strip().splitlines()
            raise UserError(f"the sandbox does not start: {reason[-1] if reason else 'no reason given'}")

    def run(self, request: dict, step_seconds) -> tuple[list[dict], str]:
        """Run one submission.

        Args:
            request: see `inside`.
            step_seconds: function of the last "start" message; wall seconds that all of what follows may take, and each message of it.

        Returns:
            the messages, and how it ended: "end", "died" (the child ended early), "timeout", "memory" (it took too much memory or too
            many processes), or "garbage" (not the wire format, or too much of it).

        Raises:
            SandboxDied: the preloaded process itself is gone.
        """
        reader, writer = os.pipe()
        body = os.memfd_create("request")
        try:
            with os.fdopen(os.dup(body), "wb") as file:
                file.write(encode(request))
            os.lseek(body, 0, os.SEEK_SET)
            socket.send_fds(self.control, [b"run"], [body, writer])
        except OSError as error:
            os.close(reader)
            raise SandboxDied(str(error)) from None
        finally:
            os.close(body)
            os.close(writer)
        try:
            messages, end = _read_messages(reader, step_seconds)
        finally:
            os.close(reader)
        if end != "end":
            self._send(b"kill")
        word = self._word(10)
        if word not in (b"done", b"much"):
            raise SandboxDied("the preloaded process does not answer")
        return messages, "memory" if word == b"much" else end

    def close(self) -> None:
        """End the process and everything in it: it ends by itself when the socket closes, or is ended."""
        self.control.close()
        try:
            self.process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()

    def _send(self, word: bytes) -> None:
        try:
            self.control.send(word)
        except OSError:
            pass  # it is gone already, which the wait for "done" reports

    def _word(self, seconds: float) -> bytes:
        """What the preloaded process says within so many seconds; nothing if it is gone."""
        ready, _, _ = select.select([self.control], [], [], seconds)
        try:
            return self.control.recv(16) if ready else b""
        except OSError:
            return b""


def _read_messages(reader: int, step_seconds) -> tuple[list[dict], str]:
    messages, buffer, total = [], bytearray(), 0
    whole, each = step_seconds({})
    end = time.monotonic() + whole
    last = time.monotonic() + MAX_SECONDS
    while True:
        deadline = min(end, last, time.monotonic() + each)
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return messages, "timeout"
        data = os.read(reader, 2**20)
        total += len(data)
        buffer += data
        if not data:
            return messages, "died"
        if total > MAX_ANSWER:
            return messages, "garbage"
        while len(buffer) >= 8:
            size = int.from_bytes(buffer[:8], "little")
            if size > MAX_FRAME:
                return messages, "garbage"
            if len(buffer) < 8 + size:
                break
            try:
                message = decode(bytes(buffer[8 : 8 + size]))
            except WireError:
                return messages, "garbage"
            del buffer[: 8 + size]
            if not isinstance(message, dict):
                return messages, "garbage"
            if message.get("end") is True:
                return messages, "end"
            if "start" in message:
                whole, each = step_seconds(message)
                end = time.monotonic() + whole
            messages.append(message)
