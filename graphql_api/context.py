"""What a resolver can reach: the application's parts, the signed-in viewer, the loaders."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

import redis.asyncio
import strawberry
from starlette.requests import HTTPConnection
from strawberry.dataloader import DataLoader

from domain.accounts.audit import Caller
from domain.accounts.sessions import Viewer, authenticate
from domain.errors import LimitExceededError, NotSignedInError
from graphql_api.http.client_address import client_address
from graphql_api.http.cookies import SessionCookies
from graphql_api.live.event_hub import EventHub
from graphql_api.live.progress_hub import ProgressHub
from graphql_api.rate_limits.limiter import RateLimiter
from graphql_api.rate_limits.passwords import PasswordGuard
from graphql_api.scheduling.pieces import UNDER_WAY, Loader
from graphql_api.uploads.multipart import StreamedRequest
from settings import Settings
from storage.base import AbstractStorage
from tasks.people.photo_search import PhotoSearch

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_PARAMETER_NAMES = ("authorization", "accesstoken", "token")


@dataclass
class AppState:
    """The parts of the running application, made once at start."""

    settings: Settings
    secret: bytes
    """Signs access tokens and links to files."""
    storage: AbstractStorage
    redis: redis.asyncio.Redis
    progress_hub: ProgressHub
    """Where subscriptions hear of progress."""
    event_hub: EventHub = field(default_factory=EventHub)
    """Where subscriptions follow the event log."""

    @cached_property
    def limiter(self) -> RateLimiter:
        """Counts what may be done only so often."""
        return RateLimiter(self.redis)

    @cached_property
    def password_guard(self) -> PasswordGuard:
        """Stands before everything that takes a password."""
        return PasswordGuard(self.limiter, self.settings)

    @cached_property
    def photo_search(self) -> PhotoSearch:
        """Looks people up by photos."""
        return PhotoSearch(self.settings, self.storage)


class Context:
    """One HTTP request, or one WebSocket with all its operations.

    Raises:
        ForeignOriginError: The request uses cookies, and a page of somebody else sent it.
    """

    def __init__(self, state: AppState, request: HTTPConnection) -> None:
        self.state = state
        self.request = request
        self.is_websocket = request.scope["type"] == "websocket"
        self.cookies = SessionCookies(request, state.settings)
        self.connection_params: dict[str, Any] | None = None
        """The payload of `connection_init`; Strawberry sets it."""
        self.upload: StreamedRequest | None = None
        """The files of this request; those that nobody takes with `release` are deleted after it."""
        self.counted_ahead: bool | LimitExceededError = False
        """Whether the next mutation that is counted was counted before, and what came of it."""
        self._viewer: Viewer | None = None
        self._authenticated = False
        self._lock = asyncio.Lock()
        self._loaders: dict[str, DataLoader[Any, Any]] = {}

    async def viewer(self) -> Viewer | None:
        """Who is signed in; None when no token was sent. Asks the database once.

        Raises:
            NotSignedInError: A token was sent, but it is not valid, or expired, or its session has ended.
        """
        async with self._lock:
            if not self._authenticated:
                token = self.access_token()
                self._viewer = None if token is None else await authenticate(token, self.state.secret)
                self._authenticated = True
        return self._viewer

    async def require_viewer(self) -> Viewer:
        """Who is signed in.

        Raises:
            NotSignedInError: Nobody is.
        """
        viewer = await self.viewer()
        if viewer is None:
            raise NotSignedInError
        return viewer

    @property
    def user_id(self) -> UUID:
        """The id of the signed-in user, below a field that only signed-in users may use."""
        if self._viewer is None:
            raise NotSignedInError
        return self._viewer.user_id

    @property
    def caller(self) -> Caller:
        """Where the request comes from, for the audit log."""
        return Caller(client_address(self.request) or None, self.request.headers.get("user-agent"))

    def access_token(self) -> str | None:
        """The token of the request's header, or of the socket's `connection_init`, or else of its cookie.

        Raises:
            NotSignedInError: What `connection_init` has in its place is no text.
        """
        header = self.request.headers.get("authorization")
        if header is not None:
            return _bearer(header)
        parameters = self.connection_params or {}
        given = {key.lower(): value for key, value in parameters.items() if isinstance(key, str)}
        value = next((given[name] for name in _PARAMETER_NAMES if given.get(name) not in (None, "")), None)
        if value is None:
            return self.cookies.access_token()
        if not isinstance(value, str):
            raise NotSignedInError("The access token is no text.")
        return _bearer(value)

    def loader(
        self, name: str, load: Callable[[list[K]], Awaitable[Sequence[V | BaseException]]]
    ) -> Loader[K, V]:
        """The loader of this name, made with `load` on first use.

        On a WebSocket it batches but does not remember: a subscription must see what is true at each event.
        """
        pieces = UNDER_WAY.get()
        if pieces is not None:
            return pieces.loader(name, load)
        if name not in self._loaders:
            self._loaders[name] = DataLoader(load_fn=load, cache=not self.is_websocket)
        return self._loaders[name]


Info = strawberry.Info[Context, None]


def _bearer(value: str) -> str:
    """The token of `Bearer <token>`, or the value itself."""
    scheme, _, token = value.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else value.strip()
