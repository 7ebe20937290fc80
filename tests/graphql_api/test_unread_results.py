"""Results of queries on a socket whose client does not read them, with a real server and client."""

import asyncio

import pytest
import websockets

from graphql_api.websocket import operation
from graphql_api.websocket.outbox import MAX_RESULTS_AT_ONCE, Outbox
from settings import Settings
from tests.graphql_api.serving import Socket, make_app, served

QUERIES = 80
RESULT_CHARACTERS = 200_000
PATIENCE_SECONDS = 60


class Results:
    """Large ones, counted from when they are made until the server has taken them."""

    def __init__(self) -> None:
        self.made = self.taken = self.most_waiting = 0

    async def make(self, prepared: object) -> str:
        self.made += 1
        self.most_waiting = max(self.most_waiting, self.made - self.taken)
        return '{"data":"%s"}' % ("x" * RESULT_CHARACTERS)


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> Results:
    results, send = Results(), Outbox.send

    async def send_counted(outbox: Outbox, text: str) -> None:
        await send(outbox, text)
        results.taken += len(text) > RESULT_CHARACTERS

    monkeypatch.setattr(operation, "execute", results.make)
    monkeypatch.setattr(Outbox, "send", send_counted)
    return results


def uncompressed(url: str) -> websockets.connect:
    """A client that can be made to read nothing; results that are compressed would find room on the way."""
    return websockets.connect(
        url, subprotocols=["graphql-transport-ws"], compression=None, max_queue=None, ping_interval=None
    )


async def test_a_few_results_wait_to_be_read_and_the_other_queries_wait(tmp_path, results: Results) -> None:
    app = make_app(Settings(data_dir=tmp_path), tmp_path / "graphiql.html")
    async with served(app) as url, uncompressed(url) as connection:
        socket = Socket(connection)
        await socket.init()
        connection.transport.pause_reading()
        for number in range(QUERIES):
            await socket.subscribe("{ __typename }", str(number))
        async with asyncio.timeout(PATIENCE_SECONDS):
            made = -1
            while made != results.made or results.most_waiting < MAX_RESULTS_AT_ONCE:
                made = results.made
                await asyncio.sleep(0.3)
            connection.transport.resume_reading()
            answers = [await socket.receive() for _ in range(2 * QUERIES)]
    assert sum(answer["type"] == "complete" for answer in answers) == QUERIES
    ids = {answer["id"] for answer in answers if answer["type"] == "next"}
    assert ids == {str(number) for number in range(QUERIES)}
    assert results.most_waiting == MAX_RESULTS_AT_ONCE
