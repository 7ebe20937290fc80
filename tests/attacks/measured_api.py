"""Run as a script: `framewise api`, measured from inside.

Arguments: the descriptor of the meter's control socket, how many descriptors the process may have, then those
of `framewise`.
"""

import resource
import socket
import sys
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cli import api, main
from cli.api_server import http_protocol
from graphql_api.http.endpoint import GraphQLEndpoint
from tests.attacks.meter import Meter

HEAD_SECONDS = 3.0
INIT_SECONDS = 4.0
"""In place of the product's, so that a test need not wait for it."""


class Measured:
    """An application whose answers are counted by their status, and whose loop is measured."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._meter.open()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._meter.statuses[message["status"]] += 1
            await send(message)

        await self._app(scope, receive, send_counted)


def run(control_fd: int, descriptors: int, arguments: list[str]) -> None:
    """Serve, measured."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    http_protocol.HEAD_SECONDS = HEAD_SECONDS
    defaults: Any = GraphQLEndpoint.__init__.__kwdefaults__
    defaults["connection_init_seconds"] = INIT_SECONDS
    meter = Meter(socket.socket(fileno=control_fd))
    create_app: Any = api._create_app
    api._create_app = lambda: Measured(create_app(), meter)
    sys.argv = ["framewise", *arguments]
    main()


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
