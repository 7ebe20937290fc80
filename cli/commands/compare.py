"""`framewise compare`, as it is typed."""

from typing import Annotated

import typer

from cli.commands.remote import Password, Server, Token, Username, remote_server
from cli.commands.shared import DataDir, Slots, make_console

_HELP = (
    "Compare two analyses of one video: what both found, what only one found, and which tracks follow the "
    "same thing.\n\n"
    "Analyses are named by their ids, which `framewise analyze` prints. Which server is asked, and who signs "
    "in there, is as with `framewise analyze`."
)


def add_compare(app: typer.Typer) -> None:
    """Give the program its command `compare`."""
    app.command(help=_HELP)(compare)


def compare(
    first: Annotated[str, typer.Argument(metavar="ANALYSIS_A", help="The first.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="ANALYSIS_B", help="The second.", show_default=False)],
    server: Server = None,
    username: Username = None,
    password: Password = None,
    token: Token = None,
    data_dir: DataDir = None,
    slots: Slots = None,
) -> None:
    """Compare two analyses of one video."""
    from cli.compare import compare_session
    from cli.settings_options import settings_with
    from cli.signals import run_interruptible

    settings = settings_with(data_dir=data_dir, slots=slots)
    remote = remote_server(server, username, password, token)
    console = make_console()
    raise typer.Exit(
        run_interruptible(
            lambda interruption: compare_session(settings, (first, second), console, interruption, remote)
        )
    )
