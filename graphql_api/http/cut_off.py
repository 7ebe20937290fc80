"""The answer to requests that the end of the server cuts off."""

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_api.errors import UNAVAILABLE

_MESSAGE = "The server is being restarted. Send the request again."


class AnswersWhatIsCutOff:
    """Answers 503 where a request is cancelled before its answer began; only the server's end does that."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, come what may."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except asyncio.CancelledError:
            if not has_begun:
                errors = [{"message": _MESSAGE, "extensions": {"code": UNAVAILABLE}}]
                response = JSONResponse({"errors": errors}, 503, headers={"Retry-After": "1"})
                await response(scope, receive, send)
