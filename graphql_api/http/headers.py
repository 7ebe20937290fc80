"""Headers that tell browsers what our pages may do, and who may use our answers."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
_CACHEABLE = "/static/"

_STATIC = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
_UNCACHED = [*_STATIC, (b"cache-control", b"no-store")]


class SecurityHeaders:
    """Adds the headers to each response that does not set its own.

    Nothing but what lies in `/static/` is kept by a cache, unless it says so itself. Where the request came
    by TLS, browsers are told to use nothing else for a year.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers added."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added = _headers_for(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                names = {name.lower() for name, _ in given}
                message["headers"] = [*given, *[header for header in added if header[0] not in names]]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _headers_for(scope: Scope) -> Sequence[tuple[bytes, bytes]]:
    headers = _STATIC if scope["path"].startswith(_CACHEABLE) else _UNCACHED
    return [*headers, _STRICT_TRANSPORT] if scope["scheme"] == "https" else headers
