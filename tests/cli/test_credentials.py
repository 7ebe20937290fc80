"""The account that commands make for themselves on the server of this machine."""

import re
import stat

from cli.client import FramewiseClient
from cli.credentials import credentials_file, sign_in_locally
from settings import Settings


async def test_the_local_account_is_made_once_and_kept_private(url, world, tmp_path):
    settings = Settings(data_dir=tmp_path)
    logins = []
    for _ in range(2):
        async with FramewiseClient(url) as client:
            logins.append(await sign_in_locally(client, settings))
            await client.ml_models()
    assert logins[0] == logins[1]
    assert logins[0].username == "local"
    assert len(logins[0].password) >= 32
    assert stat.S_IMODE(credentials_file(tmp_path).stat().st_mode) == 0o600
    assert world.calls.count("signUp") == 1


async def test_another_local_account_is_made_when_the_first_is_lost_on_either_side(url, world, tmp_path):
    settings = Settings(data_dir=tmp_path)
    world.taken_usernames = {"local"}
    async with FramewiseClient(url) as client:
        first = await sign_in_locally(client, settings)
    assert re.fullmatch("local-[0-9a-f]{6}", first.username)
    world.accounts.clear()
    world.taken_usernames = set()
    async with FramewiseClient(url) as client:
        assert (await sign_in_locally(client, settings)).username == "local"
