"""A session in cookies, for web pages: no script of a page can read its tokens.

There is one rule. A request that has the header `X-Framewise-Session: cookie` uses cookies: signing up, in
and refreshing put the tokens into cookies and leave them out of the answer, and whatever else it asks is
answered for whoever the cookie says. To a request without the header cookies do not exist. A form or a link
on another site cannot send a header of its own, and a script there only if this server allows it: the header
proves that a script of a page sent the request, and `Origin` whose. A WebSocket cannot have such a header;
there the `Origin` of the handshake is the proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.errors import ForbiddenError
from settings import Settings

SESSION_HEADER = "x-framewise-session"
COOKIE_MODE = "cookie"

_GRAPHQL_PATH = "/graphql"
_ACCESS, _REFRESH = "framewise-access", "framewise-refresh"
_SECURE_SCHEMES = ("https", "wss")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class ForeignOriginError(ForbiddenError):
    """Raised when a request uses cookies, but a page of this server did not send it."""

    def __init__(self) -> None:
        super().__init__(
            "Cookies count only in requests from this server's own pages, or from an origin in "
            "allowed_origins. Behind a proxy, set trusted_proxies or public_url."
        )


@dataclass(frozen=True)
class Cookie:
    """A cookie to set; with an empty value it is removed."""

    name: str
    value: str
    max_age_seconds: int
    path: str
    secure: bool
    same_site: Literal["strict"] = "strict"
    """Nothing that begins on another site carries it, not even a link: our pages need it in `fetch` only."""


class SessionCookies:
    """The cookies of one request: what it brought, and what its answer sets.

    Args:
        connection: The request, or the handshake of a WebSocket.
        settings: Of this server.

    Raises:
        ForeignOriginError: It uses cookies, and its origin is not this server nor allowed.
    """

    def __init__(self, connection: HTTPConnection, settings: Settings) -> None:
        self.to_set: list[Cookie] = []
        self._settings = settings
        self._is_secure = _is_secure(connection, settings)
        given = connection.cookies
        self._access = given.get(self._name(_ACCESS)) or None
        self._refresh = given.get(self._name(_REFRESH)) or None
        self.is_socket = connection.scope["type"] == "websocket"
        asked_for = connection.headers.get(SESSION_HEADER, "").strip().lower() == COOKIE_MODE
        self.is_used = bool(self._access or self._refresh) if self.is_socket else asked_for
        if self.is_used and not _is_own_origin(connection, settings):
            raise ForeignOriginError

    @property
    def can_set(self) -> bool:
        """Whether the answer may put tokens into cookies: it was asked for, and there will be an answer."""
        return self.is_used and not self.is_socket

    def access_token(self) -> str | None:
        """The access token, if this request uses cookies and has one."""
        return self._access if self.is_used else None

    def refresh_token(self) -> str | None:
        """The refresh token, if this request uses cookies, has one, and can be given the next."""
        return self._refresh if self.can_set else None

    def put(self, access_token: str, refresh_token: str) -> None:
        """Let the answer set both tokens."""
        self.to_set = [
            self._cookie(_ACCESS, access_token, self._settings.access_token_seconds),
            self._cookie(_REFRESH, refresh_token, self._settings.refresh_token_seconds),
        ]

    def clear(self) -> None:
        """Let the answer remove both, if the request uses cookies."""
        if self.can_set:
            self.to_set = [self._cookie(name, "", 0) for name in (_ACCESS, _REFRESH)]

    def set_on(self, response: Response) -> None:
        """Put what is to be set on the answer."""
        for cookie in self.to_set:
            response.set_cookie(
                cookie.name,
                cookie.value,
                max_age=cookie.max_age_seconds,
                path=cookie.path,
                secure=cookie.secure,
                httponly=True,
                samesite=cookie.same_site,
            )

    def _name(self, name: str) -> str:
        # A browser takes a `__Host-` cookie from this very host and by TLS only: no other host of the domain,
        # and nobody on the network, can plant one.
        return f"__Host-{name}" if self._is_secure else name

    def _cookie(self, name: str, value: str, max_age_seconds: int) -> Cookie:
        # `__Host-` demands the path `/`; without it the refresh token goes where it is used only.
        path = _GRAPHQL_PATH if name == _REFRESH and not self._is_secure else "/"
        return Cookie(self._name(name), value, max_age_seconds, path, self._is_secure)


def allowed_origins(settings: Settings) -> Sequence[str]:
    """The origins in the setting of this name.

    Raises:
        ValueError: One of them is no origin.
    """
    return [_checked(text.strip()) for text in settings.allowed_origins.split(",") if text.strip()]


def _checked(text: str) -> str:
    origin = _normal_origin(text)
    if origin is None:
        raise ValueError(
            "FRAMEWISE_ALLOWED_ORIGINS must be origins like https://shop.example.org, with commas, "
            f"not {text!r}."
        )
    return origin


def _is_own_origin(connection: HTTPConnection, settings: Settings) -> bool:
    given = connection.headers.get("origin")
    if given in (None, "null"):
        # Browsers name no origin in a GET to the same one, but most tell the site, which no page can forge.
        site = connection.headers.get("sec-fetch-site")
        if site is not None:
            return site == "same-origin"
        return given is None and connection.scope.get("method") in _SAFE_METHODS
    origin = _normal_origin(given)
    return origin is not None and origin in (*_own_origins(connection, settings), *allowed_origins(settings))


def _own_origins(connection: HTTPConnection, settings: Settings) -> list[str]:
    scheme = "https" if connection.url.scheme in _SECURE_SCHEMES else "http"
    own = [_normal_origin(f"{scheme}://{connection.headers.get('host', '')}")]
    if settings.public_url:
        parts = urlsplit(settings.public_url)
        own.append(_normal_origin(f"{parts.scheme}://{parts.netloc}"))
    return [origin for origin in own if origin is not None]


def _is_secure(connection: HTTPConnection, settings: Settings) -> bool:
    return connection.scope.get("scheme") in _SECURE_SCHEMES or settings.public_url.lower().startswith(
        "https://"
    )


def _normal_origin(text: str) -> str | None:
    """`scheme://host` or `scheme://host:port`, as browsers write it; None for what is no origin."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "@" in parts.netloc or "*" in host:
        return None
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (
        f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else ""
    )
