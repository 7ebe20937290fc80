"""The client of a server, and how it keeps signed in."""

import asyncio

import pytest

from cli.client import FramewiseClient, Login
from cli.errors import SignInError
from tests.cli.stand_in import LOGIN


async def test_a_used_up_refresh_token_means_to_sign_in_again(url, world):
    async with FramewiseClient(url, login=LOGIN) as client:
        await client.sign_in()
        world.end_all_sign_ins()
        world._refresh_tokens.clear()
        assert await client.ml_models()
    assert world.calls.count("signIn") == 2


async def test_many_requests_at_once_renew_the_sign_in_once(url, world):
    async with FramewiseClient(url, login=LOGIN) as client:
        await client.sign_in()
        world.end_all_sign_ins()
        await asyncio.gather(*(client.ml_models() for _ in range(20)))
    assert world.calls.count("refreshSession") == 1


async def test_a_wrong_password_is_said(url):
    async with FramewiseClient(url, login=Login("ada", "wrong")) as client:
        with pytest.raises(SignInError, match=r"Cannot sign in as ada at http.*Wrong username or password"):
            await client.sign_in()


async def test_an_access_token_alone_is_enough_until_it_expires(url, world):
    token = world.new_session().access_token
    async with FramewiseClient(f"{url}/graphql/", access_token=token) as client:
        assert len(await client.ml_models()) == 3
        world.end_all_sign_ins()
        with pytest.raises(SignInError, match="new access token"):
            await client.ml_models()
    assert "signOut" not in world.calls
