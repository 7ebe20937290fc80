"""How many sockets and subscriptions an account has on this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from domain.errors import LimitExceededError


class Places:
    """Counts what accounts hold of one thing, up to a limit.

    Args:
        name: The setting that the limit comes from.
        things: What it is, in the plural.
    """

    def __init__(self, name: str, things: str) -> None:
        self._name = name
        self._things = things
        self._held: Counter[UUID] = Counter()

    @contextmanager
    def take(self, user_id: UUID | None, limit: int) -> Iterator[None]:
        """Hold one until the block ends, if the account has fewer than `limit`; None is not counted.

        Raises:
            LimitExceededError: The account holds as many as it may.
        """
        if user_id is None:
            yield
            return
        if self._held[user_id] >= limit:
            text = f"An account may have {limit} {self._things} at once."
            raise LimitExceededError(text, limit=self._name)
        self._held[user_id] += 1
        try:
            yield
        finally:
            self._held[user_id] -= 1
            if not self._held[user_id]:
                del self._held[user_id]

    def held(self, user_id: UUID) -> int:
        """How many an account holds."""
        return self._held[user_id]
