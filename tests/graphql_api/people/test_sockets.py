"""People over a WebSocket, whose loaders serve one operation after the other."""

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from domain.accounts.models import User
from domain.analyses.models import Analysis, Tracker
from domain.videos.models import Video, VideoStatus
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.relay import find_uuid
from graphql_api.schema import make_schema
from tests.graphql_api.full_app import FullApp
from tests.graphql_api.people.possessions import give_appearance, give_person
from tests.graphql_api.serving import opened, served

# Each asks for something that has a resolver, so that nothing is read ahead.
FEWER = """{ people(first: 1) { edges { node { history(first: 1) { edges { cursor } }
  appearances(first: 1) { edges { node { trackId } } } } } } }"""
MORE = """{ people(first: 1) { edges { node { history(first: 1) { edges { cursor } }
  appearances(first: 1) { edges { node {
  cropUrl videoUrl video { title filename } person { cropUrl } } } } } } } }"""


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


async def test_an_operation_gets_what_one_before_it_did_not_ask_for(app, tmp_path):
    ada = await app.person()
    owner = await User.get(id=find_uuid((await ada.data("{ me { id } }"))["me"]["id"], "User"))
    video = await Video.create(
        owner_id=owner.id, title="door", filename="door.mp4", storage_key="door", size_bytes=1,
        sha256="0" * 64, status=VideoStatus.READY,
    )  # fmt: skip
    analysis = await Analysis.create(
        owner_id=owner.id, video_id=video.id, ml_model="yunet-2026may", tracker=Tracker.BYTE_TRACK,
        frame_stride=1, min_confidence=0.5, create_people=True,
    )  # fmt: skip
    await give_appearance(await give_person(owner, "Ada Lovelace"), video, analysis, 1)
    endpoint = GraphQLEndpoint(make_schema(), lambda: app.state, graphiql_page=tmp_path / "none.html")
    routes = [WebSocketRoute("/graphql", endpoint)]
    async with served(Starlette(routes=routes)) as url, opened(url) as socket:
        await socket.init({"token": ada.headers["Authorization"].removeprefix("Bearer ")})
        for query in (FEWER, MORE):
            for _ in range(2):
                await socket.subscribe(query)
                answer = await socket.receive()
                assert answer["type"] == "next", answer
                assert "errors" not in answer["payload"], answer
                assert await socket.receive() == {"type": "complete", "id": "1"}
    (edge,) = answer["payload"]["data"]["people"]["edges"]
    (seen,) = edge["node"]["appearances"]["edges"]
    assert seen["node"]["video"] == {"title": "door", "filename": "door.mp4"}
    assert seen["node"]["videoUrl"].startswith("http://testserver/files/")
    assert seen["node"]["person"]["cropUrl"] == seen["node"]["cropUrl"]
