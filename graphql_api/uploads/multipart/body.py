"""The body of a multipart request, in events."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import ClientDisconnect, Request

from graphql_api.http.client_address import client_address
from graphql_api.scheduling.fair_gate import FairGate
from graphql_api.uploads.multipart.errors import MultipartError
from graphql_api.uploads.multipart.form_reader import Event, FileData, FormReader
from storage.cancellation import run_blocking

_BATCH_BYTES = 2**20
_SHORT_BYTES = 2**10
"""To read so much takes less time than to ask a thread."""

_PARSE_SECONDS = 5.0
"""A MiB takes a tenth of a second at most."""


def request_too_large(max_request_bytes: int) -> MultipartError:
    """What is raised when there is more to a body than any may have."""
    return MultipartError(
        413,
        f"The request is larger than {max_request_bytes} bytes, the most that is allowed.",
        "max_request_bytes",
    )


def parsing_gate() -> FairGate:
    """Lets one body be parsed at a time, for all requests of a process; their senders take turns."""
    return FairGate(1, _PARSE_SECONDS)


class Body:
    """The body of one request.

    Args:
        request: Nothing of its body may have been read.
        reader: Splits it.
        gate: Where it waits to be split; see `parsing_gate`.
    """

    def __init__(self, request: Request, reader: FormReader, gate: FairGate) -> None:
        self._request = request
        self._reader = reader
        self._gate = gate

    async def events(self, max_bytes: int, idle_seconds: float) -> AsyncGenerator[Event, None]:
        """What comes."""
        async with aclosing(self._batches(max_bytes, idle_seconds)) as batches:
            async for batch, size_bytes in batches:
                for event in await self._read(batch, size_bytes):
                    yield event
        self._reader.finish()

    async def _batches(
        self, max_bytes: int, idle_seconds: float
    ) -> AsyncGenerator[tuple[list[bytes], int], None]:
        """The chunks: each at once until a file begins, then a MiB together, to ask a thread seldom.

        The last batch is less than a MiB; it may be empty.
        """
        batch: list[bytes] = []
        batch_bytes = received_bytes = 0
        async with aclosing(_chunks(self._request, idle_seconds)) as chunks:
            async for chunk in chunks:
                received_bytes += len(chunk)
                if received_bytes > max_bytes:
                    raise request_too_large(max_bytes)
                batch.append(chunk)
                batch_bytes += len(chunk)
                if batch_bytes >= _BATCH_BYTES or not self._reader.is_inside_file:
                    yield batch, batch_bytes
                    batch, batch_bytes = [], 0
        yield batch, batch_bytes

    async def _read(self, batch: list[bytes], size_bytes: int) -> list[Event]:
        if size_bytes <= _SHORT_BYTES:
            return self._reader.hashed(self._reader.parse(batch))
        async with self._gate.place(client_address(self._request)):
            events = await run_blocking(self._reader.parse, batch)
        if any(isinstance(event, FileData) for event in events):
            return await run_blocking(self._reader.hashed, events)
        return self._reader.hashed(events)


async def _chunks(request: Request, idle_seconds: float) -> AsyncGenerator[bytes, None]:
    stream = request.stream()
    async with aclosing(stream):
        while True:
            try:
                async with asyncio.timeout(idle_seconds):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except ClientDisconnect as error:
                raise MultipartError(400, "The client went away before the upload was complete.") from error
            except TimeoutError as error:
                raise MultipartError(408, f"The client sent nothing for {idle_seconds:g} seconds.") from error
            if chunk:
                yield chunk
