"""Guessing passwords: counted by address and by username, and answered with a lock-out that grows.

Failed sign-ins count for the pair of username and address, and tenfold as many are allowed for the username
alone. So somebody who guesses from one place locks out nobody but themselves; who guesses from many places
locks the name for places that it was not signed in from lately. Where an account of the name exists makes no
difference to any of it.
"""

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from limits.aio.storage import Storage

from domain.accounts.audit import AuditKind, Caller, Person, record
from domain.accounts.rules import username_key
from domain.accounts.service import find_user
from domain.errors import LimitExceededError, WrongCredentialsError
from graphql_api.http.client_address import limited_as
from graphql_api.rate_limits.limiter import Rate, RateLimiter, in_words, too_often
from graphql_api.rate_limits.turns import TooManyWaitError, Turns
from settings import Settings

FIRST_LOCK_SECONDS = 30
LONGEST_LOCK_SECONDS = 3600

EVERYWHERE_FACTOR = 10
"""How many times as many failures all places together may have for one username as one place."""

_BREACHES_REMEMBERED_SECONDS = 86400
_PLACES_REMEMBERED_SECONDS = 30 * 86400
_LONGEST_LINE = 20


@dataclass(frozen=True)
class _Target:
    """What failures are counted for: a username with a place, or the username alone."""

    rate: Rate
    who: tuple[str, ...]

    def key(self, kind: str) -> str:
        return f"{kind}/{self.rate.setting}/{'/'.join(self.who)}"


class PasswordGuard:
    """Stands before everything that takes a password or a refresh token.

    Args:
        limiter: Counts.
        settings: How often is allowed.
    """

    def __init__(self, limiter: RateLimiter, settings: Settings) -> None:
        self._limiter = limiter
        self._by_address = Rate.of("sign_in_rate_per_address", settings.sign_in_rate_per_address)
        self._by_username = Rate.of("sign_in_rate_per_username", settings.sign_in_rate_per_username)
        self._sign_ups = Rate.of("sign_up_rate_per_address", settings.sign_up_rate_per_address)
        self._turns = Turns(_LONGEST_LINE)

    @asynccontextmanager
    async def sign_in(self, username: str, caller: Caller) -> AsyncIterator[None]:
        """Around a sign-in.

        Raises:
            LimitExceededError: It has to wait, right password or not.
        """
        wait_seconds = await self._limiter.hit(self._by_address, _place(caller))
        if wait_seconds:
            raise too_often(self._by_address, "Too many sign-ins from your address", wait_seconds)
        async with self._locking_out(username, caller):
            yield

    @asynccontextmanager
    async def password(self, username: str, caller: Caller) -> AsyncIterator[None]:
        """Around what asks a signed-in user for their password again.

        Raises:
            LimitExceededError: It has to wait, right password or not.
        """
        async with self.token(caller), self._locking_out(username, caller):
            yield

    @asynccontextmanager
    async def token(self, caller: Caller) -> AsyncIterator[None]:
        """Around what takes a refresh token: wrong ones count as sign-ins from the address.

        Raises:
            LimitExceededError: It has to wait.
        """
        wait_seconds = await self._limiter.wait_seconds(self._by_address, _place(caller))
        if wait_seconds:
            raise too_often(self._by_address, "Too many sign-ins from your address", wait_seconds)
        try:
            yield
        except WrongCredentialsError:
            await self._limiter.hit(self._by_address, _place(caller))
            raise

    async def sign_up(self, caller: Caller) -> None:
        """Count a sign-up with valid input, worked or not: those that fail tell which names are taken.

        Raises:
            LimitExceededError: It has to wait.
        """
        wait_seconds = await self._limiter.hit(self._sign_ups, _place(caller))
        if wait_seconds:
            raise too_often(self._sign_ups, "Too many accounts from your address", wait_seconds)

    @asynccontextmanager
    async def _locking_out(self, username: str, caller: Caller) -> AsyncIterator[None]:
        name, place = _name(username), _place(caller)
        try:
            # One after the other: else a hundred guesses at once would all be made before one is counted.
            async with self._turns.take(f"{name}/{place}"):
                targets = await self._targets(name, place)
                for target in targets:
                    await self._refuse_if_locked(target)
                try:
                    yield
                except WrongCredentialsError:
                    await self._note_failure(targets, username, caller)
                    raise
                await self._note_success(targets, name, place)
        except TooManyWaitError:
            raise _locked(1) from None

    async def _targets(self, name: str, place: str) -> list[_Target]:
        if not self._by_username.items:
            return []
        targets = [_Target(self._by_username, (name, place))]
        if not await self._limiter.ask(lambda storage: storage.get(_known(name, place))):
            targets.append(_Target(self._by_username.times(EVERYWHERE_FACTOR), (name,)))
        return targets

    async def _refuse_if_locked(self, target: _Target) -> None:
        key = target.key("locked")

        async def left_seconds(storage: Storage) -> float:
            if not await storage.get(key):
                return 0.0
            return await storage.get_expiry(key) - time.time()

        seconds = await self._limiter.ask(left_seconds)
        if seconds > 0:
            raise _locked(seconds)

    async def _note_failure(self, targets: list[_Target], username: str, caller: Caller) -> None:
        is_locked = False
        for target in targets:
            failed = await self._limiter.hit(target.rate, *target.who)
            if failed or await self._limiter.wait_seconds(target.rate, *target.who):
                await self._limiter.ask(partial(_lock, target))
                is_locked = True
        if is_locked:
            user = await find_user(username)
            person = Person(None, username) if user is None else Person(user.id, user.username)
            await record(AuditKind.LOCKED_OUT, person, caller)

    async def _note_success(self, targets: list[_Target], name: str, place: str) -> None:
        for target in targets:
            await self._limiter.forget(target.rate, *target.who)
            await self._limiter.ask(partial(_clear, target.key("breaches")))
        if targets:
            await self._limiter.ask(partial(_remember, _known(name, place)))


async def _lock(target: _Target, storage: Storage) -> None:
    breaches = await storage.incr(target.key("breaches"), _BREACHES_REMEMBERED_SECONDS)
    seconds = min(LONGEST_LOCK_SECONDS, FIRST_LOCK_SECONDS * 2 ** min(breaches - 1, 20))
    await storage.incr(target.key("locked"), seconds)


async def _clear(key: str, storage: Storage) -> None:
    await storage.clear(key)


async def _remember(key: str, storage: Storage) -> None:
    await storage.clear(key)
    await storage.incr(key, _PLACES_REMEMBERED_SECONDS)


def _locked(seconds: float) -> LimitExceededError:
    return LimitExceededError(
        f"Too many failed sign-ins for this username: try again in {in_words(seconds)}.",
        limit="sign_in_rate_per_username",
    )


def _known(name: str, place: str) -> str:
    return f"known/{name}/{place}"


def _name(username: str) -> str:
    """A username as keys have it: of the same length whatever people type, and not to be read."""
    return hashlib.sha256(username_key(username).encode(errors="surrogatepass")).hexdigest()[:32]


def _place(caller: Caller) -> str:
    return limited_as(caller.address or "")
