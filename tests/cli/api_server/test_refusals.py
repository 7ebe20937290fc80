"""What the log says of refused requests."""

import asyncio
import logging

import pytest

from cli.api_server.connection_crowd import ConnectionCrowd
from cli.api_server.http_protocol import bounded_http_protocol
from cli.api_server.refusals import RareWarnings
from tests.cli.api_server.test_http_protocol import answer_of, echo, serving
from tests.cli.processes import PATIENCE_SECONDS


def test_refusals_are_told_now_and_then_with_how_many_were_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    warnings = RareWarnings(clock=lambda: now)
    for now in (0.0, 1.0, 9.9, 10.0, 10.1, 30.0, 40.0):
        warnings.tell(f"at {now}")
    assert caplog.messages == [
        "at 0.0",
        "at 10.0 (2 more refused since the last such line)",
        "at 30.0 (1 more refused since the last such line)",
        "at 40.0",
    ]


async def test_malformed_requests_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(echo, bounded_http_protocol(ConnectionCrowd(100))) as port:
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"nonsense\r\n\r\n")
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await answer_of(reader) == (400, b"Invalid HTTP request received.")
            writer.close()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == [
        "Invalid HTTP request received."
    ]
