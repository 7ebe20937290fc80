"""One long operation on the event loop: its pieces, and loaders that wait until all of them have asked."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, Protocol, TypeVar

from graphql_api.scheduling.slices import Slices

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)
V = TypeVar("V")

_QUIET_TURNS = 4
"""Turns of the event loop without a piece after which nothing more is asked for: each list and each object
between the piece that was done last and the resolver that asks takes one of them."""

_ANSWERED_AT_ONCE = 32


class Loader(Protocol[K_contra, V]):
    """Reads together what is asked for one by one."""

    def load(self, key: K_contra, /) -> Awaitable[V]:
        """What belongs to the key."""

    def load_many(self, keys: Iterable[K_contra], /) -> Awaitable[list[V]]:
        """What belongs to the keys."""


class Pieces:
    """The pieces of one operation.

    Args:
        slices: Of the event loop's time, which it shares with others.
    """

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loaders: dict[str, PatientLoader[Any, Any]] = {}

    async def next(self) -> None:
        """Wait until a piece may be done."""
        with self._time_needed():
            await self._slices.next()

    def loader(
        self, name: str, load: Callable[[list[K]], Awaitable[Sequence[V | BaseException]]]
    ) -> Loader[K, V]:
        """The operation's loader of this name, made with `load` on first use."""
        if name not in self._loaders:
            self._loaders[name] = PatientLoader(self, load)
        return self._loaders[name]

    async def all_asked(self) -> None:
        """Wait until none of the pieces waits for its turn.

        Those that wait for a loader, or for the database, are not waited for.
        """
        quiet = 0
        while quiet < _QUIET_TURNS:
            await asyncio.sleep(0)
            quiet = 0 if self._waiting else quiet + 1

    async def answer(self, answers: Iterable[tuple["asyncio.Future[V]", V | BaseException]]) -> None:
        """Give each its answer: a few in a turn, since whoever gets one goes on at once."""
        with self._time_needed():
            for number, (future, answer) in enumerate(answers):
                if number % _ANSWERED_AT_ONCE == 0:
                    await asyncio.sleep(0)
                    await self._slices.next()
                if future.done():
                    continue  # cancelled
                if isinstance(answer, BaseException):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside the pieces; it ends with the operation at the latest."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """The operation is over: what is left of it, such as what an error made needless, gets no answer."""
        for task in self._tasks:
            task.cancel()
        for loader in self._loaders.values():
            loader.end()

    @contextmanager
    def _time_needed(self) -> Iterator[None]:
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


class PatientLoader(Generic[K, V]):
    """Strawberry's `DataLoader` for an operation that is done in slices.

    That one reads in the next turn of the event loop, whatever is asked for in later ones. Here a statement
    waits until every piece has been done that may ask for more.

    Args:
        pieces: Those of the operation.
        load: Reads what belongs to the keys, in their order; an exception in the place of one is its own.
    """

    def __init__(
        self, pieces: Pieces, load: Callable[[list[K]], Awaitable[Sequence[V | BaseException]]]
    ) -> None:
        self._pieces = pieces
        self._load = load
        self._known: dict[K, asyncio.Future[V]] = {}
        self._asked: dict[K, asyncio.Future[V]] = {}

    def load(self, key: K, /) -> Awaitable[V]:
        """What belongs to the key."""
        known = self._known.get(key)
        if known is not None and not known.cancelled():
            return known
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        if not self._asked:
            self._pieces.begin(self._read())
        self._known[key] = self._asked[key] = future
        return future

    def load_many(self, keys: Iterable[K], /) -> Awaitable[list[V]]:
        """What belongs to the keys."""
        return asyncio.gather(*map(self.load, keys))

    def end(self) -> None:
        """Leave nobody waiting."""
        for future in self._known.values():
            future.cancel()

    async def _read(self) -> None:
        await self._pieces.all_asked()
        asked, self._asked = self._asked, {}
        wanted = {key: future for key, future in asked.items() if not future.cancelled()}
        if not wanted:
            return
        futures = wanted.values()
        try:
            answers = list(zip(futures, await self._load(list(wanted)), strict=True))
        except Exception as error:
            answers = [(future, error) for future in futures]
        await self._pieces.answer(answers)


UNDER_WAY: ContextVar[Pieces | None] = ContextVar("pieces", default=None)
"""Those of the operation that is being executed, if it is done in pieces."""
