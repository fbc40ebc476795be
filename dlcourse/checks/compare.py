"""Agreement of what was observed with what was expected, in words that a student can use."""

import itertools
import math

import numpy as np
import torch

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-2}
FLOAT_TOLERANCE = 1e-5  # a Python float may stem from a float32 tensor


def difference(observed, expected, tolerance: float | None = None) -> str | None:
    """None where the two agree, else one sentence: dtype and shape first, then the largest difference.

    `|observed - expected| <= tolerance * max(1, |expected|)` for each number; NaN agrees with NaN alone. A NumPy array has become a
    tensor before (see `observe.plain`); a tensor without dimensions and a number are the same thing.
    """
    if isinstance(expected, torch.Tensor) and isinstance(observed, torch.Tensor):
        return _tensor_difference(observed, expected, tolerance)
    observed, expected = _number(observed), _number(expected)
    if isinstance(expected, bool) or isinstance(observed, bool) or expected is None or isinstance(expected, str):
        same = type(observed) is type(expected) and observed == expected
        return None if same else f"expected {show(expected)}, got {show(observed)}"
    if isinstance(expected, (int, float)):
        if not isinstance(observed, (int, float)):
            return f"expected the number {show(expected)}, got {show(observed)}"
        return None if _close(observed, expected, tolerance) else f"expected {show(expected)}, got {show(observed)}"
    if isinstance(expected, list):
        return _list_difference(observed, expected, tolerance)
    if isinstance(expected, dict):
        return _dict_difference(observed, expected, tolerance)
    return f"expected {show(expected)}, got {show(observed)}"


def _number(value):
    return value.item() if isinstance(value, torch.Tensor) and value.ndim == 0 else value


def _close(observed: float, expected: float, tolerance: float | None) -> bool:
    if math.isnan(observed) or math.isnan(expected):
        return math.isnan(observed) and math.isnan(expected)
    if math.isinf(observed) or math.isinf(expected):
        return observed == expected
    if isinstance(observed, int) and isinstance(expected, int) and tolerance is None:
        return observed == expected
    return abs(observed - expected) <= (FLOAT_TOLERANCE if tolerance is None else tolerance) * max(1.0, abs(expected))


def agree(observed, expected, tolerance: float | None = None) -> bool:
    """Whether `difference` finds nothing; quicker, because it does not put what it finds into words."""
    if isinstance(expected, torch.Tensor) and isinstance(observed, torch.Tensor):
        alike = observed.shape == expected.shape and observed.dtype == expected.dtype
        return alike and not bool(_wrong_entries(observed, expected, tolerance).any())
    if isinstance(expected, list) and isinstance(observed, list):
        return len(observed) == len(expected) and all(map(agree, observed, expected, itertools.repeat(tolerance)))
    return difference(observed, expected, tolerance) is None


def _wrong_entries(observed: torch.Tensor, expected: torch.Tensor, tolerance: float | None) -> torch.Tensor:
    """Which entries differ too much, as one row of booleans; shape and dtype are the same."""
    if not expected.dtype.is_floating_point:
        return (observed != expected).flatten()
    bound = TOLERANCE[expected.dtype] if tolerance is None else tolerance
    seen, wanted = observed.double().flatten(), expected.double().flatten()
    distance = (seen - wanted).abs()
    far = ~(distance <= bound)
    if not far.any():  # most answers: nothing more to look at
        return far
    close = (distance <= bound * wanted.abs().clamp(min=1.0)) & wanted.isfinite()
    return ~(close | (seen == wanted) | (seen.isnan() & wanted.isnan()))


def _tensor_difference(observed: torch.Tensor, expected: torch.Tensor, tolerance: float | None) -> str | None:
    if observed.shape != expected.shape:
        return f"expected shape {tuple(expected.shape)}, got {tuple(observed.shape)}"
    if observed.dtype != expected.dtype:
        return f"expected {expected.dtype}, got {observed.dtype}"
    wrong = _wrong_entries(observed, expected, tolerance)
    if not wrong.any():
        return None
    if not expected.dtype.is_floating_point:
        return f"{int(wrong.sum())} of {wrong.numel()} entries differ, the first {_first(observed, expected, wrong)}"
    seen, wanted = observed.double().flatten(), expected.double().flatten()
    if (seen.isnan() & ~wanted.isnan()).any():
        return f"{int((seen.isnan() & ~wanted.isnan()).sum())} of {seen.numel()} entries are NaN"
    if (seen.isinf() & ~wanted.isinf()).any():
        return f"{int((seen.isinf() & ~wanted.isinf()).sum())} of {seen.numel()} entries are infinite"
    distance = torch.where(wrong, (seen - wanted).abs().nan_to_num(nan=math.inf), 0.0)
    worst = torch.zeros_like(wrong)
    worst[distance.argmax()] = True
    return f"the largest difference is {float(distance.max()):.3g}, {_first(observed, expected, worst)}"


def _first(observed: torch.Tensor, expected: torch.Tensor, mask: torch.Tensor) -> str:
    place = int(mask.nonzero()[0])
    # torch.unravel_index would import half a second's worth of modules
    index = ", ".join(str(i) for i in np.unravel_index(place, expected.shape)) if expected.ndim else ""
    return f"at [{index}]: expected {show(expected.flatten()[place])}, got {show(observed.flatten()[place])}"


def _list_difference(observed, expected: list, tolerance) -> str | None:
    if not isinstance(observed, list):
        return f"expected {len(expected)} values, got {show(observed)}"
    if len(observed) != len(expected):
        return f"expected {len(expected)} values, got {len(observed)}" + (
            f": {show(observed)}" if len(observed) <= 6 else ""
        )
    for position, (one, other) in enumerate(zip(observed, expected)):
        if found := difference(one, other, tolerance):
            return f"entry {position}: {found}"
    return None


def _dict_difference(observed, expected: dict, tolerance) -> str | None:
    if not isinstance(observed, dict):
        return f"expected a dict with {', '.join(expected)}, got {show(observed)}"
    if missing := [key for key in expected if key not in observed]:
        return f"missing: {', '.join(missing)}"
    if extra := [key for key in observed if key not in expected]:
        return f"not expected: {', '.join(extra)}"
    for key, value in expected.items():
        if found := difference(observed[key], value, tolerance):
            return f"{key}: {found}"
    return None


def show(value, limit: int = 300) -> str:
    """A value as short text: small tensors in full, large ones by shape, dtype and first entries."""
    if isinstance(value, torch.Tensor):
        if value.ndim == 0:
            return show(value.item())
        kind = str(value.dtype).removeprefix("torch.")
        head = ", ".join(show(entry.item()) for entry in value.flatten()[:6])
        more = ", …" if value.numel() > 6 else ""
        return f"{kind} tensor {tuple(value.shape)} [{head}{more}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        text = "[" + ", ".join(show(entry, 60) for entry in value[:8]) + (", …]" if len(value) > 8 else "]")
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {show(entry, 60)}" for key, entry in list(value.items())[:8]) + "}"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
