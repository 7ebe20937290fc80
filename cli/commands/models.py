"""`framewise models`: list, fetch, check and measure the models."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.shared import DataDir, Mirror, make_console
from cli.errors import CliError

models_app = typer.Typer(help="List, fetch, check and measure the models.", no_args_is_help=True)


@models_app.command("list")
def list_models(data_dir: DataDir = None, mirror: Mirror = None) -> None:
    """Show every model: what it finds, how large its weights are, whether it is ready."""
    from cli import models
    from cli.settings_options import settings_with

    models.list_models(settings_with(data_dir=data_dir, weights_mirror=mirror), make_console())


@models_app.command("pull")
def pull_models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME…]", help="Models.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every model that needs weights.")] = False,
    data_dir: DataDir = None,
    mirror: Mirror = None,
) -> None:
    """Fetch the weights of models, from the mirror or from their official address, and check them."""
    from cli import models
    from cli.settings_options import settings_with

    if bool(names) == every:
        raise CliError("Name the models to fetch, or give --all.", 2)
    settings = settings_with(data_dir=data_dir, weights_mirror=mirror)
    raise typer.Exit(models.pull_models(settings, names or [], make_console()))


@models_app.command("check")
def check_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME…]", help="Models; without any, all that are ready.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
    mirror: Mirror = None,
) -> None:
    """Check the weights of models, and run each on a photograph."""
    from cli.model_trials import check_models as check
    from cli.settings_options import settings_with

    settings = settings_with(data_dir=data_dir, weights_mirror=mirror)
    raise typer.Exit(check(settings, names or [], make_console()))


@models_app.command("bench")
def bench_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME…]", help="Models; without any, all that are ready.", show_default=False
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="How long to measure each, twice.")] = 2.0,
    people: Annotated[
        Path | None,
        typer.Option(
            show_default=False,
            help="Measure instead how well faces are told apart, in a folder of folders, one a person.",
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            show_default=False,
            help="Measure instead how well things are found, in a folder with labels, such as "
            "benchmarks/labels.",
        ),
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option(show_default="beside the labels", help="Folder of the videos and pictures labelled."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(show_default=False, help="File of figures to write them into.")
    ] = None,
    data_dir: DataDir = None,
    mirror: Mirror = None,
) -> None:
    """Measure how long models take for a frame on this machine, with one and two threads."""
    from cli.model_trials import bench_models as bench
    from cli.model_trials import judge_models, verify_models
    from cli.settings_options import settings_with

    settings = settings_with(data_dir=data_dir, weights_mirror=mirror)
    if labelled is not None:
        raise typer.Exit(
            judge_models(settings, names or [], make_console(), labelled=labelled, media=media, save=save)
        )
    if people is not None:
        raise typer.Exit(verify_models(settings, names or [], make_console(), people=people, save=save))
    raise typer.Exit(bench(settings, names or [], make_console(), seconds=seconds, save=save))
