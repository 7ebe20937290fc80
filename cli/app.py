"""The commands of `framewise`; each imports what it needs when it is called, so that `--help` is quick."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.commands.analyze import add_analyze
from cli.commands.compare import add_compare
from cli.commands.models import models_app
from cli.commands.shared import DataDir, Host, Mirror, Port, Slots, TrackerName, make_console
from cli.commands.users import users_app
from cli.errors import CliError

if TYPE_CHECKING:
    from settings import Settings

app = typer.Typer(
    help="Framewise: analyse videos, live, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_analyze(app)
add_compare(app)
app.add_typer(models_app, name="models")
app.add_typer(users_app, name="users")


def run() -> None:
    """Run the command line; what is wrong is said in a sentence, not in a traceback."""
    try:
        app()
    except CliError as error:
        _fail(error)


def _fail(error: CliError) -> NoReturn:
    from cli.printing import say

    say(make_console(stderr=True), f"Error: {error}", "red")
    sys.exit(error.exit_code)


@app.command()
def serve(host: Host = None, port: Port = None, data_dir: DataDir = None, slots: Slots = None) -> None:
    """Run the whole server: API, worker, and Valkey unless REDIS_URL is set. Ctrl-C stops it."""
    from cli.serve import serve_session
    from cli.settings_options import settings_with
    from cli.signals import run_interruptible

    settings = settings_with(host=host, port=port, data_dir=data_dir, slots=slots)
    _check_trusted_documents(settings)
    console = make_console()
    raise typer.Exit(run_interruptible(lambda interruption: serve_session(settings, console, interruption)))


@app.command()
def api(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    listen_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the API alone; it needs REDIS_URL."""
    from cli.api import run_api
    from cli.settings_options import settings_with

    settings = settings_with(host=host, port=port, data_dir=data_dir)
    _require_redis(settings)
    _check_trusted_documents(settings)
    run_api(settings, listen_fd)


@app.command()
def worker(data_dir: DataDir = None, slots: Slots = None) -> None:
    """Run a worker alone; it needs REDIS_URL."""
    from cli.logs import configure_logging
    from cli.settings_options import settings_with
    from tasks.early import early_pool

    settings = settings_with(data_dir=data_dir, slots=slots)
    configure_logging(settings.log_level)
    _require_redis(settings)
    with early_pool(settings) as pool:
        from tasks.worker import run as run_worker

        run_worker(settings.slots, pool)


def _require_redis(settings: "Settings") -> None:
    if not settings.redis_url:
        raise CliError("Set FRAMEWISE_REDIS_URL to a running Redis or Valkey, or use `framewise serve`.", 2)


def _check_trusted_documents(settings: "Settings") -> None:
    if settings.trusted_documents is None:
        return
    from graphql_api.execution.trusted_documents import TrustedDocumentsError
    from graphql_api.schema import make_server_schema

    try:
        make_server_schema(settings)
    except TrustedDocumentsError as error:
        raise CliError(str(error), 2) from error


@app.command()
def migrate(data_dir: DataDir = None) -> None:
    """Bring the database up to date."""
    from cli.database import migrate_database
    from cli.logs import configure_logging
    from cli.settings_options import settings_with

    settings = settings_with(data_dir=data_dir)
    configure_logging(settings.log_level)
    applied = asyncio.run(migrate_database(settings))
    make_console().print(
        f"Applied {', '.join(applied)}." if applied else "The database is up to date.", markup=False
    )


@app.command()
def demo(
    video: Annotated[list[Path] | None, typer.Option(help="A video to analyse; may be repeated.")] = None,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    slots: Slots = None,
) -> None:
    """Start the server, show the analysis of a video or of a short clip made here, and keep serving."""
    from cli.sessions import demo_session
    from cli.settings_options import settings_with
    from cli.signals import run_interruptible

    settings = settings_with(host=host, port=port, data_dir=data_dir, slots=slots)
    _check_trusted_documents(settings)
    console = make_console()
    raise typer.Exit(
        run_interruptible(
            lambda interruption: demo_session(settings, tuple(video or ()), console, interruption)
        )
    )


@app.command(
    help="Measure a model and a tracker on videos with ground truth: AP, MOTA, IDF1, HOTA.\n\n"
    "FOLDER holds annotations.json (COCO, with video and frame_index), or folders with gt/gt.txt and img1/ "
    "or a video, or CLIP.txt beside CLIP.mp4 (MOT Challenge). It needs no server."
)
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Videos and their ground truth.", show_default=False)],
    model: Annotated[str, typer.Option(help="A model.", show_default=False)],
    tracker: Annotated[
        TrackerName, typer.Option(help="How detections are joined to tracks.")
    ] = TrackerName.BYTE_TRACK,
    truth_format: Annotated[
        str | None,
        typer.Option("--format", metavar="mot|coco", show_default="found out", help="Of the truth."),
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, show_default="the model's", help="Threshold for tracks.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(show_default="all; person for MOT", help="Keep only this label; may be repeated."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", show_default=False, help="File to write the scores to.")
    ] = None,
    media: Annotated[
        Path | None,
        typer.Option(show_default="beside the truth", help="Folder of the videos and pictures."),
    ] = None,
    stride: Annotated[int, typer.Option(min=1, help="Look at every Nth frame; only those count.")] = 1,
    fast: Annotated[bool, typer.Option("--fast", help="As of `framewise analyze`.")] = False,
    region: Annotated[
        str | None, typer.Option(show_default="the whole frame", help="As of `framewise analyze`.")
    ] = None,
    tile: Annotated[
        str | None, typer.Option(show_default="no tiles", help="As of `framewise analyze`.")
    ] = None,
    motion_gating: Annotated[
        bool, typer.Option("--motion-gating", help="As of `framewise analyze`.")
    ] = False,
    data_dir: DataDir = None,
    mirror: Mirror = None,
) -> None:
    """Measure a model and a tracker on videos with ground truth."""
    from cli.evaluate import EvaluateOptions, evaluate_folder
    from cli.frame_options import parse_region, parse_tile
    from cli.settings_options import settings_with

    options = EvaluateOptions(
        folder=folder,
        ml_model=model,
        tracker=tracker.name,
        truth_format=truth_format,
        min_confidence=min_confidence,
        labels=tuple(label) if label else None,
        json_file=json_file,
        media=media,
        frame_stride=stride,
        is_fast=fast,
        region=parse_region(region),
        tile=parse_tile(tile),
        motion_gating=motion_gating,
    )
    evaluate_folder(settings_with(data_dir=data_dir, weights_mirror=mirror), options, make_console())


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option(show_default="the terminal", help="File to write it to.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(show_default=False, help="Only check that this file is up to date.")
    ] = None,
) -> None:
    """Write the GraphQL schema."""
    from cli.schema import check_schema, write_schema

    if check is not None:
        check_schema(check)
    else:
        typer.echo(write_schema(output), nl=False)


@app.command()
def audit(
    user: Annotated[str | None, typer.Option(show_default="everybody", help="Only this account.")] = None,
    since: Annotated[
        str | None, typer.Option(show_default="all that is kept", help="Such as 24h, 7d or 2026-01-31.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show the newest so many.")] = 1000,
    data_dir: DataDir = None,
) -> None:
    """Show the audit log: sign-ins, failed ones, deletions, and from where."""
    from cli.audit import audit_lines, parse_since
    from cli.settings_options import settings_with

    settings = settings_with(data_dir=data_dir)
    moment = None if since is None else parse_since(since)
    lines = asyncio.run(audit_lines(settings, username=user, since=moment, most=limit))
    for line in lines or ["Nothing is in the audit log."]:
        typer.echo(line)
