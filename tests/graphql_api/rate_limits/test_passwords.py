"""Guessing passwords through GraphQL: how often, from where, and what is told."""

import asyncio
import re

import httpx
import pytest

from domain.accounts import service
from domain.accounts.audit import AuditEntry, AuditKind, Caller
from domain.accounts.models import User
from domain.errors import LimitExceededError, WrongCredentialsError
from graphql_api.rate_limits import passwords
from graphql_api.rate_limits.limiter import RateLimiter
from graphql_api.rate_limits.passwords import PasswordGuard
from settings import Settings
from tasks.redis_clients import connect_redis
from tests.graphql_api.serving import PASSWORD, Api, make_app

SIGN_IN = """mutation($input: SignInInput!) { signIn(input: $input) {
  session { accessToken } userErrors { code message path } } }"""
SIGN_UP = SIGN_IN.replace("signIn", "signUp").replace("SignIn", "SignUp")
REFRESH = """mutation($token: String!) { refreshSession(refreshToken: $token) {
  session { accessToken } userErrors { code message } } }"""
CHANGE = """mutation($input: ChangePasswordInput!) { changePassword(input: $input) {
  user { username } userErrors { code message path } } }"""


class Place:
    """A network address that requests come from."""

    def __init__(self, app, address):
        self.api = Api(app)
        self.api.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://testserver"
        )

    async def sign_in(self, username="ada", password="wrong password"):
        answer = await self.api(SIGN_IN, {"input": {"username": username, "password": password}})
        payload = answer["data"]["signIn"]
        return payload["userErrors"][0] if payload["userErrors"] else None

    async def codes(self, count, **given):
        return [(await self.sign_in(**given) or {"code": "OK"})["code"] for _ in range(count)]


@pytest.fixture
def make(sqlite, tmp_path):
    def make(**settings):
        loose = dict.fromkeys(("sign_in_rate_per_address", "sign_up_rate_per_address"), "")
        app = make_app(Settings(data_dir=tmp_path, **{**loose, **settings}), tmp_path / "none.html")
        return lambda address="192.0.2.1": Place(app, address)

    return make


def seconds_of(error):
    return int(re.search(r"try again in ([0-9]+) second", error["message"])[1])


@pytest.mark.parametrize("exists", [True, False], ids=["an account", "no account"])
async def test_failures_lock_a_name_out_for_that_address_alone(make, exists):
    place = make(sign_in_rate_per_username="3/hour")
    here = place()
    if exists:
        await here.api.sign_up("ada")
    assert await here.codes(3) == ["WRONG_CREDENTIALS"] * 3
    error = await here.sign_in("ADA", PASSWORD)  # the right one, in another spelling of the name
    assert error["code"] == "LIMIT_EXCEEDED"
    assert re.fullmatch(
        r"Too many failed sign-ins for this username: try again in ([12]?[0-9]|30) seconds?\. "
        r"\(limit: sign_in_rate_per_username\)",
        error["message"],
    )
    assert await here.sign_in("bob") == {
        "code": "WRONG_CREDENTIALS",
        "message": "The username or the password is not right.",
        "path": [],
    }
    there = await place("192.0.2.2").codes(1, password=PASSWORD)
    assert there == ["OK" if exists else "WRONG_CREDENTIALS"]
    entry = await AuditEntry.get(kind=AuditKind.LOCKED_OUT)
    assert (entry.address, entry.username.lower()) == ("192.0.2.1", "ada")
    assert (entry.user_id is not None) == exists


async def test_a_success_forgets_the_failures(make):
    here = make(sign_in_rate_per_username="3/hour")()
    await here.api.sign_up("ada")
    for _ in range(3):
        assert await here.codes(2) == ["WRONG_CREDENTIALS"] * 2
        assert await here.codes(1, password=PASSWORD) == ["OK"]
    assert await here.codes(20, password=PASSWORD) == ["OK"] * 20


async def test_each_lock_out_is_twice_as_long_up_to_an_hour(make, monkeypatch):
    here = make(sign_in_rate_per_username="1/hour")()
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    lengths = []
    for _ in range(9):
        assert (await here.sign_in())["code"] == "WRONG_CREDENTIALS"
        lengths.append(seconds_of(await here.sign_in()))
        now += lengths[-1] + 1
    assert lengths == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


async def test_many_places_lock_the_name_but_not_where_it_was_signed_in_from(make):
    place = make(sign_in_rate_per_username="2/hour")
    home = place("192.0.2.77")
    await home.api.sign_up("ada")
    assert await home.codes(1, password=PASSWORD) == ["OK"]
    for number in range(passwords.EVERYWHERE_FACTOR):
        assert await place(f"198.51.100.{number}").codes(2) == ["WRONG_CREDENTIALS"] * 2
    assert await place("198.51.100.200").codes(1, password=PASSWORD) == ["LIMIT_EXCEEDED"]
    assert await home.codes(1, password=PASSWORD) == ["OK"]


async def test_an_ipv6_site_is_one_place(make):
    place = make(sign_in_rate_per_username="2/hour")
    assert await place("2001:db8:1:2::1").codes(1) == ["WRONG_CREDENTIALS"]
    assert await place("2001:db8:1:2:ffff::9").codes(2) == ["WRONG_CREDENTIALS", "LIMIT_EXCEEDED"]
    assert await place("2001:db8:1:3::1").codes(1) == ["WRONG_CREDENTIALS"]


async def test_guesses_at_once_are_no_more_than_guesses_in_turn(make, monkeypatch):
    here = make(sign_in_rate_per_username="3/hour")()
    await here.api.sign_up("ada")
    tried = []
    verify = service.verify_password

    async def counting(password, password_hash):
        tried.append(password)
        await asyncio.sleep(0.01)
        return await verify(password, password_hash)

    monkeypatch.setattr(service, "verify_password", counting)
    guesses = await asyncio.gather(*(here.sign_in(password=f"guess {number}") for number in range(40)))
    assert len(tried) == 3
    assert sorted({guess["code"] for guess in guesses}) == ["LIMIT_EXCEEDED", "WRONG_CREDENTIALS"]


async def test_sign_ins_of_an_address_are_counted_right_or_wrong(make):
    place = make(sign_in_rate_per_address="4/hour", sign_in_rate_per_username="")
    here = place()
    await here.api.sign_up("ada")
    assert await here.codes(3) == ["WRONG_CREDENTIALS"] * 3
    assert await here.codes(2, password=PASSWORD) == ["OK", "LIMIT_EXCEEDED"]
    error = await here.sign_in(password=PASSWORD)
    assert "limit: sign_in_rate_per_address" in error["message"]
    assert await place("192.0.2.2").codes(1, password=PASSWORD) == ["OK"]
    # A refresh does not count, but a wrong token does.
    session = await place("192.0.2.9").api.sign_up("bob")
    fresh = await here.api(REFRESH, {"token": session["refreshToken"]})
    assert fresh["data"]["refreshSession"]["userErrors"][0]["code"] == "LIMIT_EXCEEDED"
    other = place("192.0.2.3")
    codes = [
        (await other.api(REFRESH, {"token": "made up"}))["data"]["refreshSession"]["userErrors"][0]["code"]
        for _ in range(5)
    ]
    assert codes == ["WRONG_CREDENTIALS"] * 4 + ["LIMIT_EXCEEDED"]


async def test_a_stolen_session_cannot_guess_the_password(make):
    place = make(sign_in_rate_per_username="3/hour")
    here = place()
    token = (await here.api.sign_up("ada"))["accessToken"]

    async def change(**given):
        passwords = {"currentPassword": "wrong password", "newPassword": "another good one", **given}
        answer = await here.api(CHANGE, {"input": passwords}, token)
        return [error["code"] for error in answer["data"]["changePassword"]["userErrors"]]

    assert [await change(newPassword="x") for _ in range(5)] == [["INVALID"]] * 5
    assert [await change() for _ in range(3)] == [["WRONG_CREDENTIALS"]] * 3
    assert await change(currentPassword=PASSWORD) == ["LIMIT_EXCEEDED"]
    assert await here.codes(1, password=PASSWORD) == ["LIMIT_EXCEEDED"]
    assert await User.exists(username="ada")


async def test_a_lock_out_holds_in_valkey_for_all_processes(sqlite, private_valkey, tmp_path):
    settings = Settings(data_dir=tmp_path, sign_in_rate_per_username="2/hour")
    clients = [connect_redis(private_valkey.url) for _ in range(2)]
    one, other = (PasswordGuard(RateLimiter(client), settings) for client in clients)
    here = Caller(address="192.0.2.1")

    async def fail(guard):
        async with guard.sign_in("ada", here):
            raise WrongCredentialsError("no")

    for guard in (one, other):
        with pytest.raises(WrongCredentialsError):
            await fail(guard)
    for guard in (one, other):
        with pytest.raises(LimitExceededError, match=r"try again in [123]?[0-9] second"):
            await fail(guard)
    async with other.sign_in("ada", Caller(address="192.0.2.2")):
        pass
    # Each key ends by itself, and names nobody.
    for key in await clients[0].keys("*"):
        assert await clients[0].ttl(key) > 0
        assert b"ada" not in key
    locks = await clients[0].keys("framewise:rates:locked/*")
    assert len(locks) == 1
    await clients[0].delete(*locks)
    async with one.sign_in("ada", here):
        pass
    for client in clients:
        await client.aclose()


async def test_new_accounts_of_an_address(make):
    place = make(sign_up_rate_per_address="2/hour")

    async def sign_up(where, name, password=PASSWORD):
        answer = await where.api(SIGN_UP, {"input": {"username": name, "password": password}})
        return [error["message"] for error in answer["data"]["signUp"]["userErrors"]]

    here = place()
    for _ in range(3):
        assert await sign_up(here, "a") == ["A username has 3 to 64 characters."]
        assert await sign_up(here, "ada", "short") == ["A password has 8 to 256 characters."]
    assert await sign_up(here, "ada") == []
    assert await sign_up(here, "ADA") == ["This username is taken."]
    [message] = await sign_up(here, "eve")
    assert "limit: sign_up_rate_per_address" in message
    assert await sign_up(place("192.0.2.2"), "eve") == []


@pytest.mark.parametrize("username", ["a" * 100_000, "", "İ" * 64], ids=["long", "empty", "growing"])
async def test_odd_names_are_counted_as_well(make, username):
    here = make(sign_in_rate_per_username="2/hour")()
    answers = await here.codes(3, username=username)
    assert answers == ["WRONG_CREDENTIALS"] * 2 + ["LIMIT_EXCEEDED"]
