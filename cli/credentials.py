"""Who the command line signs in as."""

import json
import secrets
from pathlib import Path

from cli.client import FramewiseClient, Login
from cli.data_files import credentials_file, write_private_file
from cli.errors import RequestRefusedError, SignInError
from settings import Settings

LOCAL_USERNAME = "local"
_PASSWORD_BYTES = 24


def read_local_login(data_dir: Path) -> Login | None:
    """The local account of a data folder, if one was made."""
    try:
        found = json.loads(credentials_file(data_dir).read_text())
        return Login(str(found["username"]), str(found["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def sign_in_locally(client: FramewiseClient, settings: Settings) -> Login:
    """Sign in with the local account of the settings' data folder, making it at first use.

    Raises:
        RequestRefusedError: The account cannot be made.
    """
    known = read_local_login(settings.data_dir)
    if known is not None:
        client.login = known
        try:
            await client.sign_in()
        except SignInError:
            pass  # the database was made anew, or the password changed: make another account
        else:
            return known
    login = await _make_account(client, settings)
    write_private_file(credentials_file(settings.data_dir), json.dumps(vars(login)))
    return login


async def _make_account(client: FramewiseClient, settings: Settings) -> Login:
    login = Login(LOCAL_USERNAME, secrets.token_urlsafe(_PASSWORD_BYTES))
    try:
        await client.sign_up(login)
    except RequestRefusedError as error:
        if error.code != "CONFLICT":
            raise
        if error.path[-1:] != ("username",):
            return await _make_account_in_database(client, settings, login)
        login = Login(f"{LOCAL_USERNAME}-{secrets.token_hex(3)}", login.password)
        await client.sign_up(login)
    return login


async def _make_account_in_database(client: FramewiseClient, settings: Settings, login: Login) -> Login:
    """For a server that takes no sign-ups: whoever may read its data folder may make accounts anyway."""
    from cli.users import create_user
    from domain.errors import ConflictError

    try:
        await create_user(settings, login.username, login.password)
    except ConflictError:
        login = Login(f"{LOCAL_USERNAME}-{secrets.token_hex(3)}", login.password)
        await create_user(settings, login.username, login.password)
    client.login = login
    await client.sign_in()
    return login
