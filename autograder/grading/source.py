"""What can be read off a cell's source before it runs: the names that it binds, and signs of an attempt to trick the grader.

This file runs inside the sandbox (parsing hostile source may crash the interpreter), so it imports nothing of the autograder.
"""

import ast

FRAMES = {"_getframe", "_current_frames", "currentframe", "getouterframes", "get_objects", "get_referrers", "get_referents", "settrace", "setprofile"}
FRAME_FIELDS = {"f_back", "f_globals", "f_locals", "tb_frame", "gi_frame", "__subclasses__"}
MODULES = {"ctypes", "threading", "_thread"}
OFF_SWITCHES = {"_disabled_torch_dispatch_impl", "DisableTorchFunctionSubclass", "_DisableTorchDispatch", "DisableTorchFunction", "_disabled_torch_function_impl"}  # fmt: skip
LIBRARIES = {"torch", "F", "nn", "np", "numpy", "builtins", "dlcourse", "json", "os", "sys", "signal"}
SETTINGS = {"backends", "rcParams"}  # attributes that people set for good reasons


def bound_names(source: str) -> set[str]:
    """The names that a cell defines when it runs; nothing if Python cannot parse it."""
    tree = _parse(source)
    names: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
    return names


def sign_of_trickery(source: str) -> str:
    """Why a person should look at this cell, as a clause; empty if nothing is odd about it."""
    tree = _parse(source)
    return next((clause for node in ast.walk(tree) if (clause := _sign(node))), "") if tree else ""


def _parse(source: str) -> ast.AST | None:
    try:
        return ast.parse("\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # it will not run either


def _sign(node: ast.AST) -> str:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] in MODULES:
                return f"it imports {alias.name}"
            if alias.name.startswith("dlcourse.checks"):
                return "it imports the inside of the checks"
    if isinstance(node, ast.ImportFrom) and node.module:
        if node.module.split(".")[0] in MODULES:
            return f"it imports {node.module}"
        if node.module.startswith("dlcourse.checks"):
            return "it imports the inside of the checks"
        if found := {alias.name for alias in node.names} & (FRAMES | OFF_SWITCHES):
            return f"it imports {min(found)}"
    if isinstance(node, ast.Attribute):
        if node.attr in FRAMES | FRAME_FIELDS:
            return f"it looks into the interpreter ({node.attr})"
        if node.attr in OFF_SWITCHES:
            return f"it switches off what watches torch's calls ({node.attr})"
        if isinstance(node.ctx, ast.Store) and (name := _patched(node)):
            return f"it replaces {name} in a library"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id == "setattr" and node.args and isinstance(node.args[0], (ast.Name, ast.Attribute)):
            if _root(node.args[0]) in LIBRARIES:
                return "it replaces something in a library by setattr"
        if node.func.id in ("getattr", "__import__", "eval", "exec") and len(node.args) > (node.func.id == "getattr"):
            text = node.args[1 if node.func.id == "getattr" else 0]
            if isinstance(text, ast.Constant) and text.value in FRAMES | FRAME_FIELDS | OFF_SWITCHES:
                return f"it looks into the interpreter ({text.value})"
            if _glued(text):
                return f"it hides a name from readers ({node.func.id} of a text that is put together)"
    return ""


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _patched(node: ast.Attribute) -> str:
    """The dotted name of a library's attribute that is assigned to, unless it is a setting."""
    parts, inner = [node.attr], node.value
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    root = inner.id if isinstance(inner, ast.Name) else ""
    return ".".join([root, *reversed(parts)]) if root in LIBRARIES and not SETTINGS & set(parts) else ""


def _glued(node: ast.AST) -> bool:
    """Whether a text is put together from constants alone, as nobody does who has nothing to hide."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return all(isinstance(side, ast.Constant) or _glued(side) for side in (node.left, node.right))
    return isinstance(node, ast.JoinedStr) and all(isinstance(part, ast.Constant) for part in node.values)
