"""The rate of mutations that cost much."""

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry
from strawberry.extensions import FieldExtension

from domain.errors import LimitExceededError
from graphql_api.rate_limits.limiter import Rate, too_often


class CountsForRate(FieldExtension):
    """Counts the calls of a mutation by the signed-in user, together with those of others that do.

    Raises:
        LimitExceededError: It is called more often than `mutation_rate_per_user` says.
    """

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: Any, info: strawberry.Info, **kwargs: Any
    ) -> Any:
        """Count, then run the mutation."""
        await _take_count(info.context)
        return await next_(source, info, **kwargs)


async def count_ahead(context: Any) -> bool:
    """Count the mutation that a `Context` is about to call; whether it may. If not, the call is refused."""
    try:
        await count_mutation(context)
    except LimitExceededError as error:
        context.counted_ahead = error
        return False
    context.counted_ahead = True
    return True


async def _take_count(context: Any) -> None:
    ahead = context.counted_ahead
    if isinstance(ahead, LimitExceededError):
        raise ahead
    context.counted_ahead = False
    if not ahead:
        await count_mutation(context)


async def count_mutation(context: Any) -> None:
    """Count one call by the signed-in user of a `Context`.

    Raises:
        LimitExceededError: There were too many.
    """
    viewer = await context.require_viewer()
    rate = Rate.of("mutation_rate_per_user", context.state.settings.mutation_rate_per_user)
    wait_seconds = await context.state.limiter.hit(rate, str(viewer.user.id))
    if wait_seconds:
        raise too_often(
            rate, "You upload, import, start, compare, search by photo or delete too often", wait_seconds
        )
