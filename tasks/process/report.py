"""What a job says on its way."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

from tasks.process.protocol import Message
from tasks.process.stop import Stopper


class Report:
    """Sends a job's progress, at most every `interval_seconds`, and only when the job says it got on.

    Args:
        output: Where to.
        interval_seconds: Least time between two messages.
        stopper: Of this process.
    """

    def __init__(self, output: BinaryIO, interval_seconds: float, stopper: Stopper) -> None:
        self._output = output
        self._interval_seconds = interval_seconds
        self._stopper = stopper
        self._next = 0.0
        self._values: dict[str, Any] = {}

    def __call__(self, values: dict[str, Any]) -> None:
        """The job got on: `values` join those told before."""
        self._values.update(values)
        self._stopper.check()
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._interval_seconds
            with self.indivisible():
                send(self._output, Message("progress", self._values))

    def indivisible(self) -> AbstractContextManager[None]:
        """A block that a stop does not cut in half, such as an import or a message."""
        return self._stopper.indivisible()

    def counter(self, name: str) -> Callable[[], None]:
        """A function that reports, under `name`, how often it was called."""
        count = 0

        def advance() -> None:
            nonlocal count
            count += 1
            self({name: count})

        return advance


def send(output: BinaryIO, message: Message) -> None:
    """Write a message and let it go."""
    output.write(message.encode())
    output.flush()
