"""What an answer may bend and a check must put back: seeds, default dtype, modes, streams, warnings, figures, time."""

import contextlib
import io
import os
import random
import signal
import sys
import threading
import warnings

import numpy as np
import torch


class TimeLimit(BaseException):
    """Raised inside an answer that takes too long; a BaseException, so that `except Exception` does not swallow it."""


class _Sink(io.StringIO):
    """A stream that forgets what is written to it."""

    def write(self, text):
        return len(text)


@contextlib.contextmanager
def clean_state(seed: int = 0):
    """Run a block in a known state (seeds, float32, gradients on, silent), and restore the caller's state after it."""
    torch_state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    dtype, threads, folder = torch.get_default_dtype(), torch.get_num_threads(), os.getcwd()
    torch.set_default_dtype(torch.float32)
    _seed_torch(seed)
    np.random.seed(seed)
    random.seed(seed)
    try:
        with (
            _silence(),
            torch.inference_mode(False),
            torch.enable_grad(),
            np.errstate(all="ignore"),
            _close_new_figures(),
        ):
            yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_rng_state(torch_state)
        np.random.set_state(numpy_state)
        random.setstate(python_state)
        os.chdir(folder)


def _seed_torch(seed: int) -> None:
    """As `torch.manual_seed`, which is a hundred times slower where it has to note the seed for devices that may come."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


@contextlib.contextmanager
def _silence():
    """Nothing that an answer prints, warns or displays reaches the notebook: nbgrader scores 0 for a word on stderr."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(_Sink()))
        stack.enter_context(contextlib.redirect_stderr(_Sink()))
        ipython = sys.modules.get("IPython")
        if ipython is not None and ipython.get_ipython() is not None:
            from IPython.utils.capture import capture_output

            stack.enter_context(capture_output(stdout=False, stderr=False, display=True))
        yield


@contextlib.contextmanager
def _close_new_figures():
    """Figures that an answer opens are closed again, or the notebook would show them under the check."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    before = set(pyplot.get_fignums()) if pyplot else set()
    try:
        yield
    finally:
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot:
            for number in set(pyplot.get_fignums()) - before:
                pyplot.close(number)


@contextlib.contextmanager
def time_limit(cpu_seconds: float, wall_factor: float = 6.0):
    """Raise TimeLimit in the block after `cpu_seconds` of CPU time, or `wall_factor` times that of waiting.

    The timers fire again every second, for answers that swallow the first exception. Without POSIX timers (Windows), or outside the
    main thread, there is no limit.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        raise TimeLimit

    timers = [
        (signal.ITIMER_PROF, signal.SIGPROF, cpu_seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, wall_factor * cpu_seconds),
    ]
    handlers = [signal.signal(number, stop) for _, number, _ in timers]
    try:
        for timer, _, seconds in timers:
            signal.setitimer(timer, seconds, 1.0)
        yield
    finally:
        for timer, _, _ in timers:
            signal.setitimer(timer, 0)
        for (_, number, _), handler in zip(timers, handlers):
            signal.signal(number, handler)
