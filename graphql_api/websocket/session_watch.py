"""Ends the sockets of sessions that have ended."""

import asyncio
import logging
from typing import Protocol
from uuid import UUID

from domain.accounts.sessions import Viewer, ended_sessions
from domain.outages import database_outage, is_outage
from domain.sql import in_batches

logger = logging.getLogger(__name__)

_SESSIONS_A_QUERY = 500


class SignedInSocket(Protocol):
    """A socket that is open for a session."""

    async def end_sign_in(self, reason: str) -> None:
        """End every operation with an error, and close the socket."""


class SessionWatch:
    """Watches over the sessions of open sockets, by one query for all at each check."""

    def __init__(self, check_seconds: float) -> None:
        self._check_seconds = check_seconds
        self._sockets: dict[UUID, set[SignedInSocket]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, socket: SignedInSocket, viewer: Viewer) -> None:
        """Watch over a socket."""
        self._sockets.setdefault(viewer.session_id, set()).add(socket)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def discard(self, socket: SignedInSocket, viewer: Viewer) -> None:
        """Stop watching over a socket."""
        sockets = self._sockets.get(viewer.session_id, set())
        sockets.discard(socket)
        if not sockets:
            self._sockets.pop(viewer.session_id, None)
        if not self._sockets and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            try:
                await self._check()
            except Exception as error:
                if is_outage(error):
                    database_outage.failed("the sessions of open sockets are not checked", error)
                else:
                    logger.exception("The sessions of open sockets could not be checked; trying again")

    async def _check(self) -> None:
        for session_ids in in_batches(self._sockets, _SESSIONS_A_QUERY):
            ended = await ended_sessions(session_ids)
            database_outage.answered()
            for session_id in ended:
                sockets = list(self._sockets.get(session_id, ()))
                await asyncio.gather(*(socket.end_sign_in("The session has ended.") for socket in sockets))
