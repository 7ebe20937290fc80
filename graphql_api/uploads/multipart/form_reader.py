"""From the bytes of a multipart body to its fields and files, as they arrive."""

import hashlib
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from domain.videos.filenames import safe_filename
from graphql_api.uploads.multipart.errors import MultipartError
from graphql_api.uploads.multipart.filenames import safe_content_type

FIELDS = ("operations", "map")
"""The parts that a request must have beside its files."""

MAX_FIELD_BYTES = 256 * 2**10
"""Longest part that is no file."""

MAX_OTHER_FIELDS = 10
"""Most fields that mean nothing here, where all files are sent that may be."""

MAX_PREAMBLE_BYTES = 4 * 2**10
"""Most bytes before the first boundary; they mean nothing (RFC 2046, 5.1.1)."""

MAX_FALSE_BOUNDARIES = 1_000
"""Most lines of a body that begin like a boundary, but are none. No client chooses one that its files
contain, and what the parser does about each is slow."""

_LONG_PADDING_BYTES = 64
"""After a boundary; what may stand there is taken byte by byte, too."""

_BOUNDARY = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,68}[\x21-\x7e])?")
_PLAIN_ENCODINGS = ("", "binary", "8bit", "7bit")

# It warns of every malformed body; those are the client's, who gets an answer.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Field:
    """The part `operations` or `map`, whole."""

    name: str
    value: bytes


@dataclass(frozen=True)
class FileBegin:
    """A file starts; its data and its end follow before anything else."""

    name: str
    filename: str
    content_type: str
    is_named: bool
    """Whether a filename was sent. What came without one can be a field instead, and only `map` tells."""


@dataclass(frozen=True)
class FileData:
    """Some bytes of the file that began last."""

    data: bytes


@dataclass(frozen=True)
class FileTooLarge:
    """The file that began last has passed the limit; no more data of it follows."""


@dataclass(frozen=True)
class FileEnd:
    """The file that began last is complete."""

    size_bytes: int
    sha256: str = ""
    """Empty for a file that is too large, and as long as it is not hashed."""


Event = Field | FileBegin | FileData | FileTooLarge | FileEnd


def boundary_of(content_type: str) -> bytes:
    """The boundary that a multipart/form-data Content-Type names.

    Raises:
        MultipartError: It is another type, or its boundary is missing or against RFC 2046.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise MultipartError(415, "A request with files must be multipart/form-data.")
    boundary = options.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise MultipartError(400, "The Content-Type names no valid multipart boundary.")
    return boundary


def field_too_long(name: str) -> MultipartError:
    """What is raised when there is more to a field than any may have."""
    return MultipartError(413, f"The field {name[:100]!r} is longer than {MAX_FIELD_BYTES} bytes.")


class FormReader:
    """Splits a body into events, and hashes the files on the way.

    The one holds Python's lock, the other does not. Two bodies are better not split at the same time: all
    else that the process does waits for each of them, every time it asks for the lock.

    Args:
        boundary: What separates the parts.
        max_file_bytes: Largest file that is handed on.
        max_files: Most files; with the `FIELDS` and `MAX_OTHER_FIELDS` they are the most parts.
    """

    def __init__(self, boundary: bytes, *, max_file_bytes: int, max_files: int) -> None:
        self._max_file_bytes = max_file_bytes
        self._max_parts = max_files + len(FIELDS) + MAX_OTHER_FIELDS
        self._too_many = (
            f"The request has more than {self._max_parts} parts: 'operations', 'map', {max_files} "
            f"{'file' if max_files == 1 else 'files'} and {MAX_OTHER_FIELDS} other fields are allowed"
        )
        self._delimiter = b"\r\n--" + boundary
        self._first_boundary = re.compile(rb"[\r\n]" + re.escape(b"--" + boundary))
        self._preamble: bytearray | None = bytearray(b"\r\n")
        self._delimiters_left = MAX_FALSE_BOUNDARIES + self._max_parts
        self._padded = re.compile(re.escape(self._delimiter) + rb"[ \t]{%d}" % _LONG_PADDING_BYTES)
        self._last_edge = b""
        self._part_count = 0
        self._part: _Part | None = None
        self._hash = hashlib.sha256()
        self._events: list[Event] = []
        self._headers: dict[bytes, bytes] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._is_complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    @property
    def is_inside_file(self) -> bool:
        """Whether what comes next is data of a file."""
        return isinstance(self._part, _FilePart)

    def finish(self) -> None:
        """Check that the body is whole, when nothing more comes.

        Raises:
            MultipartError: The first or the closing boundary is missing.
        """
        if not self._is_complete:
            missing = "has no boundary" if self._preamble else "ends before its closing boundary"
            raise MultipartError(400, f"The multipart body {missing}.")

    def parse(self, chunks: Iterable[bytes]) -> list[Event]:
        """Read on, and return what is known now, not hashed yet.

        Raises:
            MultipartError: The body is malformed or passes a limit.
        """
        try:
            for sent in chunks:
                chunk = sent if self._preamble is None else self._after_preamble(self._preamble, sent)
                self._refuse_what_is_slow(chunk)
                self._parser.write(chunk)
        except FormParserError as error:
            raise MultipartError(400, f"The multipart body is malformed: {error}.") from error
        events, self._events = self._events, []
        return events

    def _after_preamble(self, preamble: bytearray, chunk: bytes) -> bytes:
        """What follows the preamble, from the first boundary on; nothing as long as that has not come."""
        preamble += chunk
        longest = MAX_PREAMBLE_BYTES + len(self._delimiter)
        found = self._first_boundary.search(preamble, 0, longest)
        if found is not None:
            self._preamble = None
            return bytes(preamble[found.start() + 1 :])
        if len(preamble) >= longest:
            raise MultipartError(
                400, f"The multipart body has no boundary in its first {MAX_PREAMBLE_BYTES} bytes."
            )
        return b""

    def _refuse_what_is_slow(self, chunk: bytes) -> None:
        """Raise if the parser, which is quick with anything else, would go through this byte by byte."""
        delimiters = chunk.count(self._delimiter)
        self._delimiters_left -= delimiters
        if self._delimiters_left < 0:
            raise MultipartError(400, f"{self._too_many}; or the boundary is a part of a file.")
        edge_bytes = len(self._delimiter) + _LONG_PADDING_BYTES
        edge = self._last_edge + chunk[:edge_bytes]
        self._last_edge = (chunk if len(chunk) >= edge_bytes else edge)[-edge_bytes:]
        if self._padded.search(edge) or (delimiters and self._padded.search(chunk)):
            raise MultipartError(400, "A multipart boundary is followed by too many spaces.")

    def hashed(self, events: Iterable[Event]) -> list[Event]:
        """The events of which this is the turn, with the hash of each file at its end."""
        return [self._hashed(event) for event in events]

    def _hashed(self, event: Event) -> Event:
        if isinstance(event, FileBegin):
            self._hash = hashlib.sha256()
        elif isinstance(event, FileData):
            self._hash.update(event.data)
        elif isinstance(event, FileEnd) and event.size_bytes <= self._max_file_bytes:
            return replace(event, sha256=self._hash.hexdigest())
        return event

    def _on_part_begin(self) -> None:
        self._part_count += 1
        if self._part_count > self._max_parts:
            raise MultipartError(400, f"{self._too_many}.")
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        name = bytes(self._header_name).lower()
        if name in self._headers:
            raise MultipartError(400, f"A part has the header {name.decode('latin-1')} twice.")
        self._headers[name] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise MultipartError(400, 'A part lacks its header Content-Disposition: form-data; name="…".')
        encoding = self._headers.get(b"content-transfer-encoding", b"").decode("latin-1").strip().lower()
        if encoding not in _PLAIN_ENCODINGS:
            raise MultipartError(
                400, f"Parts in the encoding {encoding!r} are not understood: send plain bytes."
            )
        name = options[b"name"].decode(errors="replace")
        if name in FIELDS and b"filename" not in options:
            self._part = _FieldPart(name)
            return
        # A file need not have a name: Python's gql sends none when it streams.
        filename = safe_filename(options.get(b"filename", b""))
        content_type = safe_content_type(self._headers.get(b"content-type", b""))
        self._events.append(FileBegin(name, filename, content_type, b"filename" in options))
        self._part = _FilePart(self._max_file_bytes)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is not None:
            self._part.add(data[start:end], self._events)

    def _on_part_end(self) -> None:
        if self._part is not None:
            self._part.finish(self._events)
        self._part = None

    def _on_end(self) -> None:
        self._is_complete = True


class _Part(Protocol):
    def add(self, data: bytes, events: list[Event]) -> None: ...

    def finish(self, events: list[Event]) -> None: ...


class _FieldPart:
    def __init__(self, name: str) -> None:
        self._name = name
        self._value = bytearray()

    def add(self, data: bytes, events: list[Event]) -> None:
        self._value += data
        if len(self._value) > MAX_FIELD_BYTES:
            raise field_too_long(self._name)

    def finish(self, events: list[Event]) -> None:
        events.append(Field(self._name, bytes(self._value)))


class _FilePart:
    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size_bytes = 0

    def add(self, data: bytes, events: list[Event]) -> None:
        was_too_large = self._size_bytes > self._max_bytes
        self._size_bytes += len(data)
        if self._size_bytes <= self._max_bytes:
            events.append(FileData(data))
        elif not was_too_large:
            events.append(FileTooLarge())

    def finish(self, events: list[Event]) -> None:
        events.append(FileEnd(self._size_bytes))
