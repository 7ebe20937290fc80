"""One operation on a socket, from its `subscribe` frame to its end."""

import asyncio
from contextlib import aclosing, suppress
from typing import Any, cast

from domain.errors import LimitExceededError
from graphql_api.context import Context
from graphql_api.errors import domain_extensions, present_fault
from graphql_api.http.requests import GraphQLRequest
from graphql_api.live.feeds import Feed
from graphql_api.websocket.execution import Prepared, RefusedError, execute, open_stream, prepare
from graphql_api.websocket.outbox import Outbox, SocketClosedError
from graphql_api.websocket.protocol import complete_frame, error_frame, next_frame_start
from graphql_api.websocket.services import SocketServices
from graphql_api.websocket.sharing import sharing_key


class Operation:
    """Runs a query, a mutation or a subscription, and sends its results.

    Args:
        id: The client's name for it.
        request: What is asked.
        context: The socket it is asked on.
        outbox: Where the results go.
        services: What sockets have in common.
    """

    def __init__(
        self, id: str, request: GraphQLRequest, context: Context, outbox: Outbox, services: SocketServices
    ) -> None:
        self.id = id
        self._request = request
        self._context = context
        self._outbox = outbox
        self._services = services
        self._next_start = next_frame_start(id)
        self._is_mutation = False
        self._is_stopped = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> "asyncio.Task[None]":
        """Begin; the task that ends with the operation, and raises nothing."""
        self._task = asyncio.create_task(self._run())
        return self._task

    def stop(self) -> None:
        """Send nothing more. A mutation is not left half done, everything else is cancelled."""
        self._is_stopped = True
        if self._task is not None and not self._is_mutation:
            self._task.cancel()

    def cancel(self) -> None:
        """End it at once, whatever it does."""
        self._is_stopped = True
        if self._task is not None:
            self._task.cancel()

    @property
    def is_stopped_mutation(self) -> bool:
        """Whether it goes on although nobody waits for it."""
        return self._is_stopped and self._is_mutation

    async def wait_until_done(self) -> None:
        """Wait for what `stop` does not cancel."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def fail(self, errors: list[dict[str, Any]]) -> None:
        """Tell the client why the operation ends."""
        await self._send(error_frame(self.id, errors))

    async def send_next(self, payload: str) -> None:
        """Send a result, given as JSON; returns when the client takes more."""
        await self._send(f"{self._next_start}{payload}}}")

    def try_send_next(self, payload: str) -> bool:
        """Send a result at once if the client takes it at once; whether it did."""
        return not self._is_stopped and self._outbox.try_send(f"{self._next_start}{payload}}}")

    async def _send(self, text: str) -> None:
        if self._is_stopped:
            raise SocketClosedError
        await self._outbox.send(text)

    async def _run(self) -> None:
        with suppress(SocketClosedError):
            try:
                await self._execute()
            except RefusedError as error:
                await self.fail(error.errors)
            except LimitExceededError as error:
                await self.fail([{"message": str(error), "extensions": domain_extensions(error)}])
            except SocketClosedError:
                raise
            except Exception as error:
                message, extensions = present_fault(error)
                await self.fail([{"message": message, "extensions": extensions}])
            else:
                await self._send(complete_frame(self.id))

    async def _execute(self) -> None:
        prepared = await prepare(self._services.schema, self._request, self._context)
        if prepared.is_subscription:
            await self._subscribe(prepared)
        elif prepared.is_mutation:
            self._is_mutation = True
            await self.send_next(await execute(prepared))
        else:
            # A client that asks much and reads nothing would fill the memory with results.
            async with self._outbox.results:
                await self.send_next(await execute(prepared))

    async def _subscribe(self, prepared: Prepared) -> None:
        viewer = await self._context.viewer()
        limit = self._context.state.settings.max_subscriptions_per_user
        with self._services.subscriptions.take(None if viewer is None else viewer.user.id, limit):
            async with self._services.openings:
                stream, renderer = await open_stream(prepared)
            try:
                if isinstance(stream, Feed):
                    key = sharing_key(prepared, stream)
                    await self._services.fan_out.serve(self, stream, key, renderer)
                else:
                    async with aclosing(cast("Any", stream)) as events:
                        async for event in events:
                            await self.send_next(await renderer.render(event))
            except SocketClosedError:
                raise
            except Exception as error:
                raise prepared.refusal(error) from error
