"""The half of code quality that a machine can see: ruff with the course's settings, and docstrings. The same for students and grader."""

import ast
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

# Errors, names never used, import order, likely bugs, outdated forms, code that is commented out.
RULES = "E,F,W,I,B,UP,ERA"
# A cell leans on other cells (F821, E402), and long sentences may stay whole (E501).
NOT_COUNTED = "F821,E402,E501,B905,B007"
RUFF_POINTS, DOCSTRING_POINTS, COST = 3.0, 2.0, 0.5


@dataclass(frozen=True)
class Quality:
    """`points` of 5 (None where ruff is not installed), and what was found, a sentence each."""

    points: float | None
    findings: list[str] = field(default_factory=list)


def quality(sources: dict[str, str]) -> Quality:
    """Judge the code of answer cells, which is read and never run.

    Args:
        sources: name of a cell -> its code, in order.

    Returns:
        Quality: 3 points for ruff, less 0.5 for each finding, and 2 for docstrings, by the share of functions, methods and classes that
        have one. Starters that were left as they are do not count; without any code of one's own there are 0 points.
    """
    documented, functions, findings = 0, 0, []
    for name, source in sources.items():
        try:
            found = list(_definitions(ast.parse(source)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return Quality(0.0, [f"{name}: Python cannot read it ({error})"])
        functions += len(found)
        documented += sum(ast.get_docstring(node) is not None for node in found)
        findings += [f"{name}, line {node.lineno}: {node.name} has no docstring" for node in found if not ast.get_docstring(node)]
    if not functions:
        return Quality(0.0, ["there is no code of your own yet"])
    seen = _ruff(sources)
    if seen is None:
        return Quality(None, [*findings, "ruff is not installed here (`pip install ruff`), so its part is not checked"])
    points = max(0.0, RUFF_POINTS - COST * len(seen)) + DOCSTRING_POINTS * documented / functions
    return Quality(round(points, 2), seen + findings)


def _definitions(node):
    """Functions, methods and classes that need a docstring: no nested functions, no special methods, no `forward`, no starters."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if not child.name.startswith("__") and child.name != "forward" and not is_starter(child):
                yield child
        elif isinstance(child, ast.ClassDef):
            yield child
            yield from _definitions(child)
        elif isinstance(child, (ast.If, ast.With, ast.Try)):
            yield from _definitions(child)


def is_starter(node) -> bool:
    """Whether a function still ends in the `raise NotImplementedError` that it was handed out with."""
    last = node.body[-1]
    raised = last.exc if isinstance(last, ast.Raise) else None
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _ruff(sources: dict[str, str]) -> list[str] | None:
    """What ruff says about the cells, read as one file, so that an import may be used in a later cell; None where there is no ruff."""
    beside = Path(sys.executable).with_name("ruff")
    program = str(beside) if beside.exists() else shutil.which("ruff")
    if program is None:
        return None
    lines, starts = [], []
    for name, source in sources.items():
        starts.append((len(lines), name))
        lines += [*source.splitlines(), "", ""]
    command = [program, "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero", "--output-format", "json"]
    command += ["--select", RULES, "--ignore", NOT_COUNTED, "--stdin-filename", "answers.py", "-"]
    try:
        done = subprocess.run(command, input="\n".join(lines).rstrip() + "\n", capture_output=True, text=True, timeout=60)
        found = json.loads(done.stdout)
    except (ValueError, subprocess.TimeoutExpired):
        return None
    sentences = []
    for entry in found:
        row = entry["location"]["row"]
        start, name = max(pair for pair in starts if pair[0] < row)
        sentences.append(f"{name}, line {row - start}: {entry['message']} ({entry['code']})")
    return sentences
