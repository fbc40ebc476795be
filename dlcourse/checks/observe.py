"""For authors of probes: small helpers, and the step from whatever an answer returned to plain data."""

import numpy as np
import torch

from dlcourse.checks.watch import watch

__all__ = ["Unanswered", "gradient", "plain", "raised", "unanswered", "watch"]

MAX_TEXT = 4_000
MAX_NESTING = 20
MAX_ENTRIES = 100_000


class Unanswered(Exception):
    """The starter was left as it is."""


def unanswered(error: BaseException) -> bool:
    """Whether an exception comes from a starter (a bare `raise NotImplementedError`); torch's own always carry a text."""
    return isinstance(error, Unanswered) or (isinstance(error, NotImplementedError) and not str(error))


def raised(function, *args, **kwargs) -> str:
    """Call the function; the name of the exception that it raises, or "nothing".

    Subclasses of ValueError, KeyError, TypeError and IndexError count as these, because a caller who expects the base catches them too.
    """
    try:
        function(*args, **kwargs)
    except Exception as error:
        if unanswered(error):
            raise
        for base in (KeyError, IndexError, TypeError, ValueError):
            if isinstance(error, base):
                return base.__name__
        return type(error).__name__
    return "nothing"


def gradient(output: torch.Tensor, *inputs: torch.Tensor):
    """The gradient of a scalar with respect to each input; "none" where the graph does not lead from one to the other."""
    if not isinstance(output, torch.Tensor) or not output.requires_grad:
        return "none" if len(inputs) == 1 else ["none"] * len(inputs)
    grads = torch.autograd.grad(output, inputs, allow_unused=True)
    grads = ["none" if grad is None else grad for grad in grads]
    return grads[0] if len(inputs) == 1 else grads


def plain(value, depth: int = 0):
    """Plain data (see `wire`) for whatever an answer returned; an object of another kind becomes a sentence that names its type."""
    if depth > MAX_NESTING:
        return "nested too deep"
    if value is None or isinstance(value, (bool, np.bool_)):
        return value if value is None else bool(value)
    if isinstance(value, str):
        return str(value)[:MAX_TEXT]
    if isinstance(value, (int, np.integer)):
        value = int(value)
        return value if abs(value) < 2**63 else float(value) if abs(value) < 2**1000 else "a number too large"
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, torch.Tensor):
        tensor = value.detach()
        return _whole(tensor.to_dense() if tensor.layout != torch.strided else tensor)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf":
            return _whole(torch.from_numpy(np.ascontiguousarray(value)).reshape(value.shape))
        return [plain(entry, depth + 1) for entry in value.ravel()[:MAX_ENTRIES].tolist()]
    if isinstance(value, (list, tuple)):
        return [plain(entry, depth + 1) for entry in value[:MAX_ENTRIES]]
    if isinstance(value, dict):
        return {str(key) or "''": plain(entry, depth + 1) for key, entry in list(value.items())[:MAX_ENTRIES]}
    return f"an object of type {type(value).__name__}"


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """A plain copy in main memory, without subclass, conjugation or strides."""
    return (
        torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.resolve_conj().resolve_neg())
        if tensor.device.type != "meta"
        else tensor
    )
