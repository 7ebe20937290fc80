"""Signing up and in, passwords and profiles over real databases."""

import asyncio

import pytest
from argon2 import PasswordHasher

from domain.accounts import passwords, service, sessions
from domain.accounts.models import RefreshToken, Session, User
from domain.accounts.sessions import AccountSettings
from domain.errors import (
    ConflictError,
    ErrorCode,
    InvalidError,
    NotSignedInError,
    UserFacingError,
    WrongCredentialsError,
)
from tests.domain.accounts.signing_in import PASSWORD, SETTINGS, viewer_of

pytestmark = pytest.mark.usefixtures("database")


async def test_sign_up_signs_in_and_stores_no_secret_in_clear():
    signed_in = await service.sign_up(SETTINGS, "Alice", PASSWORD, " alice@example.org ", " Alice  A. ")
    viewer = await viewer_of(signed_in)
    assert (viewer.user.id, viewer.session_id) == (signed_in.user.id, signed_in.session_id)
    assert (viewer.user.username, viewer.user.email, viewer.user.full_name) == (
        "Alice", "alice@example.org", "Alice  A.",
    )  # fmt: skip
    assert viewer.token_expires_at == signed_in.access_token.expires_at
    stored = [await User.all().values(), await RefreshToken.all().values()]
    assert PASSWORD not in str(stored)
    assert signed_in.refresh_token not in str(stored)
    assert "$argon2id$" in str(stored)


async def test_sign_up_may_be_closed():
    closed = AccountSettings(SETTINGS.secret, 900, 3600, allow_sign_up=False)
    with pytest.raises(ConflictError, match="closed"):
        await service.sign_up(closed, "alice", PASSWORD, None, None)
    assert await User.all().count() == 0
    await service.create_user("alice", PASSWORD)
    assert (await service.sign_in(closed, "alice", PASSWORD)).user.username == "alice"


@pytest.mark.parametrize("other", ["alice", "ALICE", "Ａlice"])
async def test_a_username_is_unique_in_every_spelling(other):
    await service.create_user("Alice", PASSWORD)
    with pytest.raises(ConflictError) as raised:
        await service.create_user(other, PASSWORD)
    assert raised.value.path == ("username",)


async def test_of_two_sign_ups_at_once_with_one_name_one_wins():
    results = await asyncio.gather(
        *(service.create_user(name, PASSWORD) for name in ("bob", "Bob", "BOB")), return_exceptions=True
    )
    assert [type(result) for result in results].count(User) == 1
    assert [type(result) for result in results].count(ConflictError) == 2


async def test_sign_in_takes_any_spelling_of_the_name_and_any_composition_of_the_password():
    await service.create_user("Straße", "pass\u0301wort")
    for name in ("straße", "STRASSE", "Strasse"):
        assert (await service.sign_in(SETTINGS, name, "pasśwort")).user.username == "Straße"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice", "wrong horse"),
        ("nobody", PASSWORD),
        ("alice", ""),
        ("", ""),
        ("a\x00", PASSWORD),
        ("alice", PASSWORD + "\ud800"),
        ("\udfff", PASSWORD),
        ("alice", "x" * 100000),
    ],
)
async def test_wrong_credentials_do_not_say_which_was_wrong(name, password):
    await service.create_user("alice", PASSWORD)
    with pytest.raises(WrongCredentialsError) as raised:
        await service.sign_in(SETTINGS, name, password)
    assert raised.value.message == "The username or the password is not right."
    assert raised.value.path == ()
    assert await Session.all().count() == 0


async def test_an_unknown_user_costs_a_hash_too(monkeypatch):
    hashed = []
    verify = passwords._verify
    monkeypatch.setattr(passwords, "_verify", lambda *given: hashed.append(given) or verify(*given))
    with pytest.raises(WrongCredentialsError):
        await service.sign_in(SETTINGS, "nobody", PASSWORD)
    assert hashed == [(PASSWORD, None)]


async def test_a_hash_with_old_parameters_is_replaced_at_sign_in():
    user = await service.create_user("alice", PASSWORD)
    weak = PasswordHasher(time_cost=1, memory_cost=32, parallelism=1).hash(PASSWORD)
    await User.filter(id=user.id).update(password_hash=weak)
    await service.sign_in(SETTINGS, "alice", PASSWORD)
    replaced = (await User.get(id=user.id)).password_hash
    assert replaced != weak
    assert not passwords.needs_rehash(replaced)
    assert await service.sign_in(SETTINGS, "alice", PASSWORD)


async def test_a_password_change_ends_the_other_sessions():
    here = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    elsewhere = await service.sign_in(SETTINGS, "alice", PASSWORD)
    await service.change_password(await viewer_of(here), PASSWORD, "another horse")
    assert await viewer_of(here)
    assert await sessions.refresh_session(SETTINGS, here.refresh_token)
    with pytest.raises(NotSignedInError):
        await viewer_of(elsewhere)
    with pytest.raises(WrongCredentialsError):
        await sessions.refresh_session(SETTINGS, elsewhere.refresh_token)
    with pytest.raises(WrongCredentialsError):
        await service.sign_in(SETTINGS, "alice", PASSWORD)
    assert await service.sign_in(SETTINGS, "alice", "another horse")


@pytest.mark.parametrize(
    ("current", "new", "code", "path"),
    [
        ("wrong horse", "another horse", ErrorCode.WRONG_CREDENTIALS, ("current_password",)),
        (PASSWORD, "short", ErrorCode.INVALID, ("new_password",)),
        (PASSWORD, PASSWORD, ErrorCode.INVALID, ("new_password",)),
    ],
)
async def test_a_refused_password_change_changes_nothing(current, new, code, path):
    here = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    elsewhere = await service.sign_in(SETTINGS, "alice", PASSWORD)
    with pytest.raises(UserFacingError) as raised:
        await service.change_password(await viewer_of(here), current, new)
    assert (raised.value.code, raised.value.path) == (code, path)
    assert await viewer_of(elsewhere)
    assert await service.sign_in(SETTINGS, "alice", PASSWORD)


async def test_a_sign_in_that_a_password_change_overtakes_is_refused(monkeypatch):
    here = await service.sign_up(SETTINGS, "alice", PASSWORD, None, None)
    viewer = await viewer_of(here)
    start = service.start_session

    async def overtaken(settings, user, caller):
        await service.change_password(viewer, PASSWORD, "another horse")
        return await start(settings, user, caller)

    monkeypatch.setattr(service, "start_session", overtaken)
    with pytest.raises(WrongCredentialsError):
        await service.sign_in(SETTINGS, "alice", PASSWORD)
    assert await Session.filter(revoked_at=None).count() == 1


async def test_of_two_password_changes_at_once_one_wins():
    viewer = await viewer_of(await service.sign_up(SETTINGS, "alice", PASSWORD, None, None))
    other = await viewer_of(await service.sign_in(SETTINGS, "alice", PASSWORD))
    results = await asyncio.gather(
        service.change_password(viewer, PASSWORD, "horse number one"),
        service.change_password(other, PASSWORD, "horse number two"),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["ConflictError", "User"]


async def test_update_profile_changes_what_is_given():
    user = await service.create_user("alice", PASSWORD, "a@example.org", "Alice")
    await service.update_profile(user, {"full_name": "Alice B."})
    assert (await User.get(id=user.id).values("email", "full_name")) == {
        "email": "a@example.org", "full_name": "Alice B.",
    }  # fmt: skip
    await service.update_profile(user, {"email": None})
    await service.update_profile(user, {})
    with pytest.raises(InvalidError):
        await service.update_profile(user, {"full_name": "kept", "email": "no address"})
    stored = await User.get(id=user.id)
    assert (stored.email, stored.full_name) == (None, "Alice B.")
