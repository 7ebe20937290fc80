"""A small GraphQL server for tests of the edge itself: accounts, and fields that go wrong on purpose."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import strawberry
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute
from strawberry.schema.config import StrawberryConfig

from domain.accounts import models
from domain.errors import ConflictError, LimitExceededError
from graphql_api.accounts import AccountMutations, AccountQueries, User, UserPayload, load_user
from graphql_api.context import AppState, Info
from graphql_api.execution.schema import ApiSchema
from graphql_api.fields import field, mutation, subscription
from graphql_api.http.endpoint import GraphQLEndpoint
from graphql_api.relay import Connection, Node, load_node, paginate, require_uuid, uuid_loader
from graphql_api.scalars import SCALARS, BigInt
from settings import Settings

SECRET = b"s" * 32
PASSWORD = "correct horse"


@strawberry.type
class Query(AccountQueries):
    @field("Any object.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await load_node({"User": uuid_loader(load_user)}, info.context, id)

    @field("All users.")
    async def users(
        self, first: int | None = None, after: str | None = None, order_by: str = "-created_at"
    ) -> Connection[User]:
        rows = models.User.all()
        return await paginate(rows, User.from_row, first=first, after=after, order_by=order_by)

    @field("Goes wrong.")
    async def broken(self) -> str | None:
        raise RuntimeError("the password is hunter2")

    @field("Refuses.")
    def full(self) -> str | None:
        raise LimitExceededError("Too much.", limit="max_things")

    @field("Only for signed-in users.", signed_in=True)
    def secret_id(self, info: Info) -> str:
        return str(info.context.user_id)

    @field("Gives back what it got.")
    def echo(
        self,
        big: BigInt | None = None,
        moment: datetime | None = None,
        day: date | None = None,
        text: str | None = None,
    ) -> "Echo":
        return Echo(big=big, moment=moment, day=day, text=text)


@strawberry.type
class Echo:
    big: BigInt | None
    moment: datetime | None
    day: date | None
    text: str | None


@strawberry.type
class Mutation(AccountMutations):
    @mutation("Finds a user.")
    async def touch(self, user_id: strawberry.ID) -> UserPayload:
        row = await models.User.get(id=require_uuid(user_id, "User", "user_id"))
        return UserPayload(user=User.from_row(row))

    @mutation("Refuses one thing of a list.", signed_in=False)
    async def refuse(self, files: list[str]) -> UserPayload:
        raise ConflictError("No.", ("files", 1, "display_name"))

    @mutation("Goes wrong.", signed_in=False)
    async def break_it(self) -> UserPayload:
        raise RuntimeError("the password is hunter2")


@strawberry.type
class Subscription:
    @subscription("Counts, for signed-in users.")
    async def ticks(self, info: Info, seconds: float = 0.05) -> AsyncIterator[int]:
        running = info.context.request.app.state.running
        running.append(1)
        try:
            number = 0
            while True:
                yield number
                number += 1
                await asyncio.sleep(seconds)
        finally:
            running.pop()

    @subscription("Counts to two, for everybody.", signed_in=False)
    async def two(self) -> AsyncIterator[int]:
        yield 1
        yield 2

    @subscription("Goes wrong after one event.", signed_in=False)
    async def broken(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("the password is hunter2")


def make_app(settings: Settings, graphiql_page: Path, **options: Any) -> Starlette:
    schema = ApiSchema(
        query=Query, mutation=Mutation, subscription=Subscription, config=StrawberryConfig(scalar_map=SCALARS)
    )
    unused: Any = None
    state = AppState(settings=settings, secret=SECRET, storage=unused, redis=unused, progress_hub=unused)
    endpoint = GraphQLEndpoint(
        schema, lambda: state, graphiql_page=graphiql_page, session_check_seconds=0.1, **options
    )
    app = Starlette(routes=[Route("/graphql", endpoint), WebSocketRoute("/graphql", endpoint)])
    app.state.running = []
    app.state.endpoint = endpoint
    app.state.settings = settings
    return app


class Api:
    """Sends operations to an application."""

    def __init__(self, app: Starlette) -> None:
        self.app = app
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")

    async def __call__(
        self, query: str, variables: object = None, token: str | None = None
    ) -> dict[str, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        response = await self.http.post(
            "/graphql", json={"query": query, "variables": variables}, headers=headers
        )
        assert response.status_code == 200, response.text
        return response.json()

    async def sign_up(self, username: str = "alice") -> dict[str, Any]:
        answer = await self(
            "mutation($input: SignUpInput!) { signUp(input: $input) { session { accessToken refreshToken "
            "accessTokenExpiresAt user { id username } } userErrors { message } } }",
            {"input": {"username": username, "password": PASSWORD}},
        )
        assert answer["data"]["signUp"]["userErrors"] == []
        return answer["data"]["signUp"]["session"]


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """A real server on a free port; gives the address of its WebSocket."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="websockets-sansio")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/graphql"
    finally:
        server.should_exit = True
        await serving


class Socket:
    """One WebSocket connection that speaks graphql-transport-ws."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def receive(self) -> Any:
        async with asyncio.timeout(60):
            return json.loads(await self.connection.recv())

    async def closed(self) -> tuple[int, str]:
        async with asyncio.timeout(60):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason

    async def init(self, payload: object = None) -> None:
        await self.send({"type": "connection_init", **({"payload": payload} if payload is not None else {})})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, query: str, operation_id: str = "1") -> None:
        await self.send({"type": "subscribe", "id": operation_id, "payload": {"query": query}})


@asynccontextmanager
async def opened(url: str, subprotocol: str = "graphql-transport-ws") -> AsyncIterator[Socket]:
    # Without a limit, for a client whose queue is full does not read the answer to its own close.
    async with websockets.connect(url, subprotocols=[subprotocol], max_queue=None) as connection:
        yield Socket(connection)
