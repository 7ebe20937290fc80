"""Options of commands that speak with a server: which, and who signs in."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CliError

if TYPE_CHECKING:
    from cli.sessions import RemoteServer

Server = Annotated[
    str | None, typer.Option(show_default="the one of this machine", help="Address of a server.")
]
Username = Annotated[str | None, typer.Option(envvar="FRAMEWISE_USERNAME", help="Account on that server.")]
Password = Annotated[str | None, typer.Option(envvar="FRAMEWISE_PASSWORD", hidden=True)]
Token = Annotated[str | None, typer.Option(envvar="FRAMEWISE_TOKEN", hidden=True)]


def remote_server(
    url: str | None, username: str | None, password: str | None, token: str | None
) -> "RemoteServer | None":
    """The server that was named, and who signs in there; None for the one of this machine.

    Raises:
        CliError: What is missing cannot be asked for, or nothing answers.
    """
    if url is None:
        return None
    from cli.client import FramewiseClient, Login
    from cli.sessions import RemoteServer

    if not url.startswith(("http://", "https://")):
        raise CliError(f"--server must be an address like http://127.0.0.1:8000, not {url!r}.", 2)
    if token is not None and username is None:
        return RemoteServer(url, access_token=token)
    if username and password:
        return RemoteServer(url, login=Login(username, password))
    if not sys.stdin.isatty():
        missing = (
            "FRAMEWISE_PASSWORD" if username else "--username and FRAMEWISE_PASSWORD, or FRAMEWISE_TOKEN"
        )
        raise CliError(f"Give {missing}, to sign in at {url}: there is no terminal to ask at.", 2)

    async def check_answers() -> None:
        async with FramewiseClient(url) as client:
            await client.check_answers()

    asyncio.run(check_answers())
    name = username or typer.prompt(f"Username at {url}", err=True)
    secret = password or typer.prompt("Password", hide_input=True, err=True)
    return RemoteServer(url, login=Login(name, secret))
