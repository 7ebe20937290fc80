"""The same calls over a WebSocket."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Self

from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from tests.chaos.client import PatientApi

_ANSWER_SECONDS = 30.0


class SocketApi(PatientApi):
    """A user's calls over one WebSocket, which must stay open."""

    def __init__(self, url: str, token: str | None) -> None:
        super().__init__(url, token)
        self._stack = AsyncExitStack()

    async def open(self) -> Self:
        transport = WebsocketsTransport(
            f"{self.url.replace('http', 'ws')}/graphql",
            init_payload={"Authorization": f"Bearer {self.token}"},
        )
        client = Client(transport=transport, execute_timeout=_ANSWER_SECONDS)
        self._session = await self._stack.enter_async_context(client)
        return self

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        document = gql(query)
        document.variable_values = variables
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer: dict[str, Any] = await self._session.execute(document)
        except TransportQueryError as error:
            raise AssertionError(str(error)) from error
        return answer

    async def aclose(self) -> None:
        await self._stack.aclose()
        await super().aclose()
