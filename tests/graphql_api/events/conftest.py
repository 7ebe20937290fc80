import pytest
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from graphql_api.context import AppState
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.live.event_hub import EventHub
from graphql_api.schema import make_schema
from settings import Settings
from tests.graphql_api.events.event_log import Account
from tests.graphql_api.serving import SECRET, Api


@pytest.fixture
async def hub():
    hub = EventHub(poll_seconds=0.01)
    yield hub
    await hub.close()


@pytest.fixture
def app(database, tmp_path, hub):
    """The real schema on a server without storage and Redis."""
    unused = None
    state = AppState(
        settings=Settings(data_dir=tmp_path),
        secret=SECRET,
        storage=unused,
        redis=unused,
        progress_hub=unused,
        event_hub=hub,
    )
    endpoint = GraphQLEndpoint(
        make_schema(), lambda: state, graphiql_page=tmp_path / "graphiql.html", session_check_seconds=0.05
    )
    return Starlette(routes=[Route("/graphql", endpoint), WebSocketRoute("/graphql", endpoint)])


@pytest.fixture
async def ada(app):
    api = Api(app)
    return Account(api, await api.sign_up("ada"))
