"""uvicorn with an end that is orderly, and bounded whatever happens."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Sized
from dataclasses import dataclass
from types import FrameType

import uvicorn

from cli.api_server.garbage import GarbageKeeper

log = logging.getLogger(__name__)

_LAST_READS_SECONDS = 0.05
_TICK_SECONDS = 0.02


@dataclass(frozen=True)
class Grace:
    """How long the end may take.

    Args:
        request_seconds: For requests that are being answered; what is not done then is cut off.
        cleanup_seconds: For what was cut off to remove what it left half done.
        flush_seconds: For answers to reach their clients.
        total_seconds: After so long the process ends in any case.
    """

    request_seconds: float
    cleanup_seconds: float
    flush_seconds: float
    total_seconds: float


class GracefulServer(uvicorn.Server):
    """Serves until SIGTERM or Ctrl-C, after which the process exits with code 0.

    It stops accepting, closes WebSockets with 1012 ("service restart": clients connect again), and lets
    requests finish for as long as `Grace` says. uvicorn alone closes the database under requests that it has
    cut off, and then ends by the signal that it got.
    """

    def __init__(self, config: uvicorn.Config, grace: Grace, keeper: GarbageKeeper | None = None) -> None:
        super().__init__(config)
        self._grace = grace
        self._keeper = keeper

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: do what is due, and say whether to end."""
        if self._keeper is not None:
            self._keeper.check(len(self.server_state.connections))
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; a second Ctrl-C waits for nothing."""
        if not self.should_exit:
            self.should_exit = True
            last_resort = threading.Timer(self._grace.total_seconds, os._exit, [0])
            last_resort.daemon = True
            last_resort.start()
        elif sig == signal.SIGINT:
            self.force_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is open, then the application."""
        log.info("stopping")
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        # What has been sent to us is a request to be answered, though we have not read it yet.
        await asyncio.sleep(_LAST_READS_SECONDS)
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await self._wait_until_empty(self.server_state.tasks, self._grace.request_seconds)
        if self.server_state.tasks:
            log.warning("%d requests are cut off", len(self.server_state.tasks))
            for task in list(self.server_state.tasks):
                task.cancel()
            await self._wait_until_empty(self.server_state.tasks, self._grace.cleanup_seconds)
        # What was answered may still be on its way to a slow client.
        await self._wait_until_empty(self.server_state.connections, self._grace.flush_seconds)
        await self.lifespan.shutdown()

    async def _wait_until_empty(self, busy: Sized, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while busy and not self.force_exit and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_TICK_SECONDS)
