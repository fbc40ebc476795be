"""One fixed format for cases, observations and keys: plain data as bytes, never pickled.

    8 bytes   length of the header, little endian
    header    JSON; a tensor stands in it as {"": [dtype, shape, offset, count of bytes]}
    blob      the tensors' bytes, one after the other, C order

Plain data are None, bool, int, float, str, lists, dicts with string keys, and CPU tensors. Decoding checks lengths, nesting and every
tensor's size against the bytes that are really there before anything is allocated, so foreign bytes can be read safely.
"""

import json

import torch

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
        torch.float16, torch.bfloat16, torch.float32, torch.float64,
    )
}  # fmt: skip
TENSOR = ""  # the one key that marks a tensor; plain dicts may not use it
MAX_BYTES = 64 * 2**20
MAX_HEADER = 4 * 2**20
MAX_NESTING = 40
MAX_DIMENSIONS = 16
QUOTE, BACKSLASH = b'"'[0], b"\\"[0]


class WireError(ValueError):
    """The bytes are not in the format, or too large."""


def encode(value, max_bytes: int = MAX_BYTES) -> bytes:
    """Plain data as bytes.

    Raises:
        WireError: `value` holds something that is not plain data, or takes more than `max_bytes`.
    """
    blobs, size = [], 0

    def to_json(item):
        nonlocal size
        if isinstance(item, torch.Tensor):
            name = str(item.dtype).removeprefix("torch.")
            if name not in DTYPES:
                raise WireError(f"a tensor of {item.dtype} cannot be sent")
            flat = item.detach().cpu().contiguous().reshape(-1)
            data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
            entry = {TENSOR: [name, list(item.shape), size, len(data)]}
            size += len(data)
            if size > max_bytes:
                raise WireError(f"more than {max_bytes:,} bytes of tensors")
            blobs.append(data)
            return entry
        if isinstance(item, dict):
            if not all(isinstance(key, str) and key != TENSOR for key in item):
                raise WireError("the keys of a dict must be non-empty strings")
            return {key: to_json(entry) for key, entry in item.items()}
        if isinstance(item, (list, tuple)):
            return [to_json(entry) for entry in item]
        if item is None or isinstance(item, (bool, int, float, str)):
            return item
        raise WireError(f"{type(item).__name__} is not plain data")

    header = json.dumps(to_json(value), separators=(",", ":")).encode()
    if len(header) > MAX_HEADER:
        raise WireError(f"a header of {len(header):,} bytes, more than {MAX_HEADER:,}")
    return b"".join([len(header).to_bytes(8, "little"), header, *blobs])


def decode(data: bytes):
    """The plain data that `encode` was given.

    Raises:
        WireError: the bytes are not in the format.
    """
    if len(data) < 8:
        raise WireError("shorter than its own length field")
    header_size = int.from_bytes(data[:8], "little")
    if header_size > min(MAX_HEADER, len(data) - 8):
        raise WireError("the header is longer than the data")
    header, blob = data[8 : 8 + header_size], memoryview(data)[8 + header_size :]
    if _nesting(header) > MAX_NESTING:
        raise WireError(f"nested more than {MAX_NESTING} deep")
    try:
        return _from_json(json.loads(header), blob)
    except WireError:
        raise
    except (ValueError, TypeError, RecursionError, RuntimeError, OverflowError) as error:
        raise WireError(f"not a valid message: {error}") from None


def _nesting(header: bytes) -> int:
    """The nesting, counted before parsing; brackets inside strings do not count."""
    depth = deepest = 0
    in_string = escaped = False
    for character in header:
        if in_string:
            in_string = escaped or character != QUOTE
            escaped = character == BACKSLASH and not escaped
        elif character == QUOTE:
            in_string = True
        elif character in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in b"]}":
            depth -= 1
    return deepest


def _from_json(item, blob: memoryview):
    if isinstance(item, list):
        return [_from_json(entry, blob) for entry in item]
    if not isinstance(item, dict):
        return item
    if TENSOR not in item:
        return {key: _from_json(entry, blob) for key, entry in item.items()}
    name, shape, offset, size = item[TENSOR]
    if name not in DTYPES or not all(type(number) is int and number >= 0 for number in [*shape, offset, size]):
        raise WireError("a tensor with a wrong type or shape")
    if len(shape) > MAX_DIMENSIONS:
        raise WireError(f"a tensor with more than {MAX_DIMENSIONS} dimensions")
    count = 1
    for length in shape:
        count *= length
    if count * DTYPES[name].itemsize != size or offset + size > len(blob):
        raise WireError("a tensor whose shape does not fit its bytes")
    if size == 0:
        return torch.empty(shape, dtype=DTYPES[name])
    return torch.frombuffer(bytearray(blob[offset : offset + size]), dtype=DTYPES[name]).reshape(shape)
