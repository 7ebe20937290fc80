"""A look into an ONNX file before anything runs it: is it one, and is it all there?

It reads the protocol buffer by itself: ONNX Runtime would open whatever other file the model names, wherever
that lies, and needs no more than its own parser, so there is no other one here.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ml_models.errors import ModelConfigError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES = 10

_TENSOR: Final = "tensor"
_CHILDREN = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
"""Kind of message → the numbers of its fields that lead to tensors, by onnx.proto3 of ONNX 1.19."""

_EXTERNAL_DATA = 13
_DATA_LOCATION = 14
_GRAPH = 7


class _MalformedError(Exception):
    """Raised when bytes are no protocol buffer."""


def check_file(path: Path) -> None:
    """Check that the file is one whole ONNX model.

    Raises:
        ModelConfigError: It is not there, not ONNX, or keeps weights in other files.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            external = _has_external_data(data)
    except (_MalformedError, ValueError) as error:  # ValueError: it is empty
        raise ModelConfigError("file", "is no ONNX model") from error
    except OSError as error:
        raise ModelConfigError("file", f"cannot be read: {error.strerror}") from error
    if external:
        raise ModelConfigError(
            "file",
            "keeps weights in other files (external data): save it as one file, "
            "with onnx.save(onnx.load(path), path, save_as_external_data=False)",
        )


def _has_external_data(data: mmap.mmap) -> bool:
    has_graph = False
    waiting = [("model", 0, len(data))]
    while waiting:
        kind, start, end = waiting.pop()
        for number, value_start, value_end in _fields(data, start, end):
            if kind == _TENSOR and number in (_EXTERNAL_DATA, _DATA_LOCATION):
                return True
            has_graph |= kind == "model" and number == _GRAPH
            child = _CHILDREN[kind].get(number)
            if child is not None:
                waiting.append((child, value_start, value_end))
    if not has_graph:
        raise _MalformedError
    return False


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number of each field of a message, and where the value begins and ends; zeros are left out."""
    position = start
    while position < end:
        tag, position = _varint(data, position, end)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, after = _varint(data, position, end)
            if value:
                yield number, position, after
            position = after
            continue
        if wire == _BYTES:
            size, position = _varint(data, position, end)
        elif wire in _FIXED_SIZES:
            size = _FIXED_SIZES[wire]
        else:
            raise _MalformedError
        if number == 0 or position + size > end:
            raise _MalformedError
        yield number, position, position + size
        position += size


def _varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    value = 0
    for index in range(_MAX_VARINT_BYTES):
        if position >= end:
            raise _MalformedError
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position
    raise _MalformedError
