"""Sessions over real databases."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from domain.accounts import service, sessions
from domain.accounts.models import RefreshToken, Session, User
from domain.accounts.tokens import derive_key
from domain.errors import NotSignedInError, WrongCredentialsError
from tests.domain.accounts.signing_in import PASSWORD, SETTINGS, viewer_of

pytestmark = pytest.mark.usefixtures("database")


async def test_refresh_rotates():
    first = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    before = (await Session.get(id=first.session_id)).expires_at
    second = await sessions.refresh_session(SETTINGS, first.refresh_token)
    third = await sessions.refresh_session(SETTINGS, second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert first.session_id == second.session_id == third.session_id
    assert (await viewer_of(third)).user.username == "alice"
    assert (await Session.get(id=first.session_id)).expires_at > before


async def test_reuse_of_an_old_token_ends_the_whole_family_and_no_other():
    stolen = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    elsewhere = await service.sign_in(SETTINGS, "alice", PASSWORD)
    newest = await sessions.refresh_session(SETTINGS, stolen.refresh_token)
    with pytest.raises(WrongCredentialsError):
        await sessions.refresh_session(SETTINGS, stolen.refresh_token)
    with pytest.raises(WrongCredentialsError):
        await sessions.refresh_session(SETTINGS, newest.refresh_token)
    for signed_in in (stolen, newest):
        with pytest.raises(NotSignedInError, match="ended"):
            await viewer_of(signed_in)
    assert await viewer_of(elsewhere)
    assert await sessions.refresh_session(SETTINGS, elsewhere.refresh_token)


async def test_of_exchanges_at_once_exactly_one_wins_and_its_session_lives():
    for attempt in range(5):
        first = await service.sign_up(SETTINGS, f"alice{attempt}", PASSWORD, None, None)
        results = await asyncio.gather(
            *(sessions.refresh_session(SETTINGS, first.refresh_token) for _ in range(8)),
            return_exceptions=True,
        )
        winners = [result for result in results if isinstance(result, sessions.SignedIn)]
        losers = [result for result in results if isinstance(result, WrongCredentialsError)]
        assert (len(winners), len(losers)) == (1, 7), results
        assert await viewer_of(winners[0])
        assert await sessions.refresh_session(SETTINGS, winners[0].refresh_token)


async def test_an_expired_or_unknown_refresh_token_is_refused():
    signed_in = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    await RefreshToken.all().update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    for token in (signed_in.refresh_token, "unknown", "", "\ud800"):
        with pytest.raises(WrongCredentialsError) as raised:
            await sessions.refresh_session(SETTINGS, token)
        assert raised.value.path == ("refresh_token",)
    assert await viewer_of(signed_in)


async def test_sign_out_ends_the_session_and_may_be_repeated():
    signed_in = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    elsewhere = await service.sign_in(SETTINGS, "alice", PASSWORD)
    for _ in range(2):
        await sessions.sign_out(signed_in.refresh_token)
    with pytest.raises(NotSignedInError):
        await viewer_of(signed_in)
    with pytest.raises(WrongCredentialsError):
        await sessions.refresh_session(SETTINGS, signed_in.refresh_token)
    with pytest.raises(WrongCredentialsError):
        await sessions.sign_out("unknown")
    assert await viewer_of(elsewhere)
    ended = await sessions.ended_sessions([signed_in.session_id, elsewhere.session_id, unknown := uuid4()])
    assert ended == {signed_in.session_id, unknown}


async def test_a_token_of_a_deleted_user_is_worth_nothing():
    signed_in = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    await User.filter(id=signed_in.user.id).delete()
    assert await Session.all().count() == 0
    with pytest.raises(NotSignedInError):
        await viewer_of(signed_in)


async def test_a_token_of_another_user_with_this_session_is_refused():
    alice = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    bob = await service.sign_up(SETTINGS, "bob", PASSWORD, None, None)
    now = int(time.time())
    claims = {
        "sub": str(bob.user.id),
        "sid": str(alice.session_id),
        "iat": now,
        "exp": now + 60,
        "type": "access",
    }
    with pytest.raises(NotSignedInError):
        await sessions.authenticate(
            jwt.encode(claims, derive_key(SETTINGS.secret, "access")), SETTINGS.secret
        )


async def test_authentication_is_one_statement(monkeypatch):
    signed_in = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    from tortoise import connections

    client = connections.get("default")
    statements = []
    # On SQLite a short read goes past `execute_query`.
    name = "read_values" if hasattr(client, "read_values") else "execute_query"
    execute = getattr(type(client), name)

    async def counted(self, query, values=None):
        statements.append(query)
        return await execute(self, query, values)

    monkeypatch.setattr(type(client), name, counted)
    viewer = await viewer_of(signed_in)
    assert viewer.user.username == "alice"
    assert len(statements) == 1


async def test_expired_sessions_are_forgotten():
    old = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    new = await service.sign_in(SETTINGS, "alice", PASSWORD)
    past = datetime.now(UTC) - timedelta(seconds=1)
    await Session.filter(id=old.session_id).update(expires_at=past)
    with pytest.raises(NotSignedInError):
        await viewer_of(old)
    await sessions.delete_expired_sessions()
    assert [session.id for session in await Session.all()] == [new.session_id]
    assert await viewer_of(new)
