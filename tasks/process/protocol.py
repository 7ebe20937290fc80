"""How a worker and its analysis processes speak: framed messages over a pipe.

A message is a JSON object and any number of byte blobs. Nothing is ever unpickled from a process that
decodes hostile files.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson

_LENGTH = struct.Struct("<I")
_MAX_HEADER_BYTES = 16 * 2**20
_MAX_BLOB_BYTES = 4 * 2**30


class ProtocolError(Exception):
    """Raised when what arrives is no message of ours."""


@dataclass(frozen=True)
class Message:
    """One message: `kind` says what it is, `values` hold JSON data, `blobs` bytes."""

    kind: str
    values: dict[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()

    def encode(self) -> bytes:
        """The message as bytes, its length first."""
        header = orjson.dumps(
            {"kind": self.kind, "values": self.values, "blobs": [len(blob) for blob in self.blobs]},
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        return b"".join((_LENGTH.pack(len(header)), header, *self.blobs))


HEADER_PREFIX_BYTES = _LENGTH.size


def header_length(prefix: bytes) -> int:
    """Length in bytes of the header that follows the prefix."""
    (length,) = _LENGTH.unpack(prefix)
    if length > _MAX_HEADER_BYTES:
        raise ProtocolError(f"a header of {length} bytes")
    return int(length)


def decode_header(header: bytes) -> tuple[str, dict[str, Any], list[int]]:
    """Kind, values, and the length in bytes of each blob."""
    try:
        fields = orjson.loads(header)
        kind, values, sizes = str(fields["kind"]), fields["values"], [int(size) for size in fields["blobs"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ProtocolError(str(error)) from error
    if not isinstance(values, dict) or any(not 0 <= size <= _MAX_BLOB_BYTES for size in sizes):
        raise ProtocolError("a header of another shape")
    return kind, values, sizes


def read_message(stream: BinaryIO) -> Message | None:
    """Read one message, blocking; None at the end of the stream."""
    prefix = stream.read(HEADER_PREFIX_BYTES)
    if len(prefix) < HEADER_PREFIX_BYTES:
        return None
    kind, values, sizes = decode_header(_read_exactly(stream, header_length(prefix)))
    return Message(kind, values, [_read_exactly(stream, size) for size in sizes])


def decode(data: bytes) -> Message:
    """The message that `Message.encode` made these bytes of."""
    message = read_message(io.BytesIO(data))
    if message is None:
        raise ProtocolError("no message")
    return message


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
