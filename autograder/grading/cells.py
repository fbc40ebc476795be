"""Running a notebook's code cells without a kernel: a namespace that looks like a notebook's, and cells with magics taken out.

This file runs inside the sandbox too, so it imports nothing of the autograder.
"""

import builtins
import linecache
import sys
import types

from IPython.core.inputtransformer2 import TransformerManager


class _Shell:
    """Stands in for get_ipython(): magics and shell commands do nothing, and return nothing."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def _display(*objects, **kwargs):
    """Stands in for IPython's display."""


def new_namespace() -> dict:
    """The global namespace of a new notebook; it is `__main__`, so that pickling and dataclasses find their module."""
    module = types.ModuleType("__main__")
    module.__dict__.update(get_ipython=lambda: _Shell(), display=_display, __builtins__=builtins)
    sys.modules["__main__"] = module
    return module.__dict__


def compile_cell(source: str, name: str):
    """Code of a cell under the file name `<cell NAME>`, which tracebacks then show.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: Python cannot compile it.
    """
    filename = f"<cell {name}>"
    try:
        code = source
        compiled = compile(code, filename, "exec", dont_inherit=True)
    except SyntaxError:  # it may hold magics
        code = TransformerManager().transform_cell(source)
        compiled = compile(code, filename, "exec", dont_inherit=True)
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    return compiled


def run_cell(source: str, name: str, namespace: dict) -> None:
    """Run one cell. Raises whatever the cell raises."""
    exec(compile_cell(source, name), namespace)
