"""What is answered to a request that is not let in, and what the log says of it."""

import http
import logging
import time
from collections.abc import Callable

_TOLD_EVERY_SECONDS = 10.0

log = logging.getLogger("uvicorn.error")


def refusal_answer(status: int, message: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The last answer on a connection, in plain text.

    Args:
        status: Of HTTP.
        message: In ASCII.
        headers: What every answer has.
    """
    phrase = http.HTTPStatus(status).phrase
    given = b"".join(b"%b: %b\r\n" % header for header in headers)
    own = (
        f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(message)}\r\nconnection: close\r\n"
    )
    return f"HTTP/1.1 {status} {phrase}\r\n".encode() + given + f"{own}\r\n{message}".encode("ascii")


class RareWarnings:
    """Tells of refused requests now and then: whoever sends them by the thousand would fill the log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_until_seconds = float("-inf")
        self._left_out_count = 0

    def tell(self, message: str) -> None:
        """Log it, unless another was logged a moment ago."""
        now = self._clock()
        if now < self._silent_until_seconds:
            self._left_out_count += 1
            return
        self._silent_until_seconds = now + _TOLD_EVERY_SECONDS
        if self._left_out_count:
            log.warning("%s (%d more refused since the last such line)", message, self._left_out_count)
        else:
            log.warning("%s", message)
        self._left_out_count = 0
