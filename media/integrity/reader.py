"""Reading bytes anywhere in a local or remote file."""

import http
import os
import urllib.request
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from media.container import REMOTE_TIMEOUT_SECONDS
from media.file_faults import is_remote

_PAGE_BYTES = 64 * 1024
_PAGES_KEPT = 16


class ByteReader:
    """Random access to the bytes of a file, by pages.

    Args:
        source: Path, or http(s) URL made by this server.
    """

    def __init__(self, source: str | Path) -> None:
        self._url = str(source) if is_remote(source) else None
        self._descriptor = -1 if self._url else os.open(source, os.O_RDONLY)
        self._pages: OrderedDict[int, bytes] = OrderedDict()
        self.size = self._remote_size() if self._url else os.fstat(self._descriptor).st_size

    @property
    def is_remote(self) -> bool:
        """Whether every page costs a request."""
        return self._url is not None

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, fewer at the end of the file."""
        end = min(offset + length, self.size)
        parts = []
        while offset < end:
            number, within = divmod(offset, _PAGE_BYTES)
            part = self._page(number)[within : within + end - offset]
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Release the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _page(self, number: int) -> bytes:
        if number in self._pages:
            self._pages.move_to_end(number)
            return self._pages[number]
        start = number * _PAGE_BYTES
        page = self._fetch(start) if self._url else os.pread(self._descriptor, _PAGE_BYTES, start)
        self._pages[number] = page
        if len(self._pages) > _PAGES_KEPT:
            self._pages.popitem(last=False)
        return page

    def _fetch(self, start: int) -> bytes:
        end = min(start + _PAGE_BYTES, self.size) - 1
        request = urllib.request.Request(self._url or "", headers={"Range": f"bytes={start}-{end}"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=REMOTE_TIMEOUT_SECONDS) as response:  # noqa: S310
            if start and response.status != http.HTTPStatus.PARTIAL_CONTENT:
                raise OSError("The file server does not answer requests for parts of a file")
            content: bytes = response.read(_PAGE_BYTES)
        return content

    def _remote_size(self) -> int:
        request = urllib.request.Request(self._url or "", headers={"Range": "bytes=0-0"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=REMOTE_TIMEOUT_SECONDS) as response:  # noqa: S310
            content_range = response.headers.get("Content-Range", "")
            if "/" in content_range:
                return int(content_range.rpartition("/")[2])
            return int(response.headers["Content-Length"])


@contextmanager
def open_bytes(source: str | Path) -> Iterator[ByteReader]:
    """A `ByteReader` that is closed in the end.

    Raises:
        OSError: If `source` cannot be reached.
    """
    reader = ByteReader(source)
    try:
        yield reader
    finally:
        reader.close()
