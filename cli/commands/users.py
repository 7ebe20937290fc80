"""`framewise users`: make accounts."""

import asyncio
import sys
from typing import Annotated, Any

import typer

from cli.commands.shared import DataDir, make_console
from cli.errors import CliError

users_app = typer.Typer(help="Make accounts.", no_args_is_help=True)


@users_app.command("create")
def create_user(
    username: Annotated[str, typer.Argument(help="The name to sign in with.", show_default=False)],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the input.")
    ] = False,
    email: Annotated[str | None, typer.Option(help="An address to reach the person at.")] = None,
    full_name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Let it upload models for everybody.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make an account directly in the database; it asks for the password."""
    from cli.settings_options import settings_with
    from cli.users import create_user as create
    from domain.errors import UserFacingError

    settings = settings_with(data_dir=data_dir)
    password: Any = (
        sys.stdin.readline().rstrip("\r\n")
        if password_stdin
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    try:
        name = asyncio.run(create(settings, username, password, email, full_name, is_admin=admin))
    except UserFacingError as error:
        raise CliError(str(error)) from error
    make_console().print(f"Made the account {name}.", markup=False)


@users_app.command("admin")
def set_admin(
    username: Annotated[str, typer.Argument(help="The account.", show_default=False)],
    revoke: Annotated[bool, typer.Option("--revoke", help="Take it back.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Let an account upload models for everybody."""
    from cli.settings_options import settings_with
    from cli.users import make_admin
    from domain.errors import UserFacingError

    try:
        name = asyncio.run(make_admin(settings_with(data_dir=data_dir), username, not revoke))
    except UserFacingError as error:
        raise CliError(str(error)) from error
    make_console().print(
        f"{name} is {'no administrator any more' if revoke else 'an administrator'}.", markup=False
    )
