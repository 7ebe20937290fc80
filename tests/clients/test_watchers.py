"""The clients of this folder against a small real graphql-transport-ws server."""

from collections.abc import Iterator

import pytest

from tests.clients.node import NodeClients
from tests.web.standin import FRAMES, Accounts, make_app, serve


@pytest.fixture
def accounts() -> Accounts:
    return Accounts(tick_seconds=0.01)


@pytest.fixture
def url(accounts: Accounts) -> Iterator[str]:
    with serve(make_app(None, accounts)) as address:
        yield address


@pytest.fixture
def token(accounts: Accounts) -> str:
    session = accounts.issue("ada").session
    assert session is not None
    return session.access_token


async def test_watch_analysis_prints_every_event_and_the_completion(
    node_clients: NodeClients, url: str, token: str
) -> None:
    async with node_clients.start("watch_analysis.mjs", "abc", url=url, token=token) as client:
        assert await client.next() == {"event": "connected"}
        events = await client.rest()
    progress = [event["data"] for event in events if event["event"] == "next"]
    assert [item["framesDone"] for item in progress] == list(range(FRAMES + 1))
    assert {item["analysisId"] for item in progress} == {"abc"}
    assert progress[-1]["status"] == "SUCCEEDED"
    assert progress[-1]["counts"] == [{"label": "face", "detections": 2 * FRAMES, "tracks": 2}]
    assert sorted(event["event"] for event in events[FRAMES + 1 :]) == ["closed", "complete"]
    assert client.returncode == 0


async def test_watch_mine_stops_after_as_many_events_as_asked_for(
    node_clients: NodeClients, url: str, token: str
) -> None:
    options = ("--take", "3", "--fields", "status framesDone")
    async with node_clients.start("watch_mine.mjs", *options, url=url, token=token) as client:
        events = await client.rest()
    assert [event["data"] for event in events if event["event"] == "next"] == [
        {"status": "RUNNING", "framesDone": done} for done in range(3)
    ]
    assert client.returncode == 0


@pytest.mark.parametrize("parameters", ["none", "{}", '{"Authorization": "Bearer wrong"}'])
async def test_connection_parameters_win_over_the_token(
    node_clients: NodeClients, url: str, token: str, parameters: str
) -> None:
    options = ("--connection-params", parameters)
    async with node_clients.start("watch_mine.mjs", *options, url=url, token=token) as client:
        events = await client.rest()
    errors = [event for event in events if event["event"] == "error" or event.get("errors")]
    assert errors[0]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_server_that_is_not_there_is_an_error(node_clients: NodeClients) -> None:
    async with node_clients.start("watch_mine.mjs", url="http://127.0.0.1:9") as client:
        events = await client.rest()
    errors = [event for event in events if event["event"] == "error"]
    assert "ECONNREFUSED" in errors[0]["errors"][0]["message"]
    assert client.returncode == 1
