"""Where submissions are run: a Dask cluster, each of whose workers holds one sandbox.

Without an address the cluster is this process: one thread a worker, each of which only waits for its sandbox. With one, the workers may be
anywhere: they get notebooks and keys over the network, and share nothing else but the same version of the course.
"""

import contextlib
import hashlib
import itertools
import logging
import time
from collections.abc import Iterator

import dask
from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin, as_completed, get_worker

from autograder.grading.assignment import Assignment
from autograder.grading.sandbox import Sandbox, SandboxDied, bubblewrap, modules_of_notebooks
from autograder.grading.submission import ExerciseResult, everywhere, grade_submission
from autograder.paths import ROOT, UserError
from dlcourse.checks.feedback import verdict_html

IN_FLIGHT = 3  # submissions a worker has at hand, so that none waits for the network
CONNECT_SECONDS = 10
# Threads of this process that talk in memory. Dask's status pages cannot be left out, but be kept to this machine.
LOCAL = {
    "threads_per_worker": 1, "processes": False, "memory_limit": 0, "dashboard_address": "127.0.0.1:0", "worker_dashboard_address": "127.0.0.1:0",
}  # fmt: skip
dask.config.set({
    # what Dask measures of itself many times a second would cost as much as a submission
    "distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s", "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.large-graph-warning-threshold": "1GB",  # a submission may be large
})  # fmt: skip


def software_version() -> str:
    """A hash of the code that decides about points: client and workers must have the same."""
    whole = hashlib.sha256()
    for folder in ("dlcourse", "autograder/grading"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            whole.update(path.read_bytes())
    return whole.hexdigest()


class SandboxHolder(WorkerPlugin):
    """A worker's sandbox: started by the first submission, replaced when it dies, ended with the worker."""

    name = "sandbox"

    def __init__(self, unsafe: bool, version: str, modules: list[str]):
        self.unsafe, self.version, self.modules = unsafe, version, modules

    def setup(self, worker):
        """Called on the worker when it joins."""
        self.sandbox = None
        if software_version() != self.version:
            raise UserError(f"the worker {worker.address} has another version of the course: update its checkout, and start it again")
        if not self.unsafe:
            bubblewrap()

    def teardown(self, worker):
        """Called on the worker when it leaves."""
        self.renew(start=False)

    def get(self) -> Sandbox:
        """The sandbox; a new one if there is none."""
        if self.sandbox is None:
            self.sandbox = Sandbox(self.unsafe, self.modules)
        return self.sandbox

    def renew(self, start: bool = True) -> None:
        """End the sandbox that is there, and start another."""
        if self.sandbox is not None:
            self.sandbox.close()
        self.sandbox = Sandbox(self.unsafe, self.modules) if start else None


@contextlib.contextmanager
def connect(slugs: list[str], count: int, unsafe: bool, address: str | None = None):
    """A client of a cluster that can grade.

    Args:
        slugs: what will be graded.
        count: workers of a local cluster.
        unsafe: without bubblewrap.
        address: of a scheduler that runs already, such as "tcp://10.0.0.1:8786".

    Raises:
        UserError: nothing answers there, a worker has another version, or bubblewrap is missing.
    """
    if address is None and not unsafe:
        bubblewrap()
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        try:
            if address is None:
                cluster = stack.enter_context(LocalCluster(n_workers=count, **LOCAL))
                client = stack.enter_context(Client(cluster))
            else:
                client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS))
            client.register_plugin(SandboxHolder(unsafe, software_version(), modules_of_notebooks(slugs)))
        except (OSError, TimeoutError, ValueError) as error:
            raise UserError(f"no scheduler answers at {address}: {error}") from None
        yield client


def grade_all(client: Client, tasks: Iterator[tuple], assignments: dict[str, Assignment]) -> Iterator[tuple]:
    """Grade submissions as workers get free.

    Args:
        client: of the cluster.
        tasks: tuples (label, slug, contents, ids of exercises); taken one by one, so they need not fit in memory.
        assignments: by slug.

    Yields:
        label, entries (see `entry`), wall seconds; in the order in which they are done.
    """
    # not named by their content, for which Dask would take seconds
    there = {slug: client.scatter(assignment, broadcast=True, hash=False) for slug, assignment in assignments.items()}
    labels = {}

    def submit(task):
        label, slug, contents, exercises = task
        future = client.submit(grade_on_worker, contents, there[slug], sorted(exercises), pure=False)
        labels[future.key] = (label, slug, exercises)
        return future

    tasks = iter(tasks)
    running = as_completed([], with_results=False, raise_errors=False)
    ahead = IN_FLIGHT * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    running.update([submit(task) for task in itertools.islice(tasks, ahead)])
    for future in running:
        label, slug, exercises = labels.pop(future.key)
        yield label, *_outcome(future, assignments[slug].only(set(exercises)))
        future.release()
        if (task := next(tasks, None)) is not None:
            running.add(submit(task))


def _outcome(future, assignment: Assignment) -> tuple[list[dict], float]:
    """What a task gave. A submission on which the machinery fails gets a row for each exercise that says so, and stops nobody else."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, UserError):
        raise error
    reason = "every worker that ran it died" if isinstance(error, KilledWorker) else f"the grader failed on it ({error!r}): please report this"
    results = everywhere(assignment.keys, assignment.written, "flagged", reason)
    return [entry(result, assignment) for result in results], 0.0


def grade_on_worker(contents: dict[str, bytes], assignment: Assignment, exercises: list[str]) -> tuple[list[dict], float]:
    """Grade one submission here; if the sandbox as a whole dies of it, once more in a new one, then give up on this submission alone."""
    holder, start = get_worker().plugins[SandboxHolder.name], time.monotonic()
    assignment = assignment.only(set(exercises))
    reason = ""
    for _ in range(2):
        try:
            results = grade_submission(holder.get(), contents, assignment.keys, assignment.written, assignment.demos)
            break
        except SandboxDied as error:
            reason = f"it ended the process that runs submissions, twice: {error}"
            holder.renew()
    else:
        results = everywhere(assignment.keys, assignment.written, "flagged", reason)
    return [entry(result, assignment) for result in results], time.monotonic() - start


def entry(result: ExerciseResult, assignment: Assignment) -> dict:
    """A result as plain data, as it is kept."""
    return {
        "exercise": result.exercise, "points": float(result.points), "max_points": float(result.max_points), "status": result.status,
        "hint": result.hint, "message": result.message, "key": assignment.versions[result.exercise],
        "html": verdict_html(result.verdict) if result.verdict and result.status != "flagged" else "",
    }  # fmt: skip
