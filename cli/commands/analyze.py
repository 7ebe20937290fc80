"""`framewise analyze`, as it is typed."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.remote import Password, Server, Token, Username, remote_server
from cli.commands.shared import AnchorName, DataDir, Slots, TrackerName, finite, make_console
from cli.errors import CliError

_HELP = (
    "Analyse videos, live, and write the results beside them.\n\n"
    "Makes VIDEO.framewise.json (detections and tracks) and VIDEO.framewise.mp4 (boxes drawn). Without "
    "--server it uses the server that runs on the data folder, or starts one and stops it at the end. With "
    "--server it signs in with --username and FRAMEWISE_PASSWORD, asking at a terminal for what is "
    "missing, or with FRAMEWISE_TOKEN."
)


def add_analyze(app: typer.Typer) -> None:
    """Give the program its command `analyze`."""
    app.command(help=_HELP)(analyze)


def analyze(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO…", help="Video files.", show_default=False)],
    model: Annotated[str | None, typer.Option(show_default="the best face detector", help="A model.")] = None,
    tracker: Annotated[
        TrackerName, typer.Option(help="How detections are joined to tracks.")
    ] = TrackerName.BYTE_TRACK,
    output: Annotated[
        Path | None, typer.Option(show_default="beside the video", help="Folder for the results.")
    ] = None,
    stride: Annotated[int, typer.Option(min=1, help="Analyse only every Nth frame.")] = 1,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Leave out less certain detections.")
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="Keep only this label; may be repeated.")] = None,
    start: Annotated[
        float | None, typer.Option(min=0, callback=finite, help="Second of the video to begin at.")
    ] = None,
    end: Annotated[
        float | None, typer.Option(min=0, callback=finite, help="Second of the video to end at.")
    ] = None,
    no_overlay: Annotated[bool, typer.Option("--no-overlay", help="Make no video with boxes drawn.")] = False,
    crops: Annotated[
        bool, typer.Option("--crops", help="Make a zip of the best pictures of each track.")
    ] = False,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Draw a heat map, a timeline and the trajectories.")
    ] = False,
    people: Annotated[
        bool, typer.Option("--people", help="Make people of faces, in the server's register.")
    ] = False,
    recreate_people: Annotated[
        bool, typer.Option("--recreate-people", help="With --people: also those who were deleted from it.")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Look at fewer frames, and reckon what lies between.")
    ] = False,
    region: Annotated[
        str | None,
        typer.Option(
            show_default="the whole frame",
            help="Look only inside of a polygon, such as '0,0.5 1,0.5 1,1 0,1'.",
        ),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(
            show_default="no tiles", help="Cut frames into tiles of so many pixels, for small things."
        ),
    ] = None,
    motion_gating: Annotated[
        bool | None,
        typer.Option(
            "--motion-gating/--no-motion-gating",
            show_default="only with --fast",
            help="Skip frames in which nothing moves.",
        ),
    ] = None,
    tracker_option: Annotated[
        list[str] | None,
        typer.Option(help="A parameter of the tracker, such as lost-track-seconds=2; may be repeated."),
    ] = None,
    line: Annotated[
        list[str] | None,
        typer.Option(help="Count who crosses a line, such as 'door:0.5,1 0.5,0'; may be repeated."),
    ] = None,
    zone: Annotated[
        list[str] | None,
        typer.Option(
            help="Count who is in a polygon, such as 'desk:0.1,0.5 0.4,0.5 0.4,1 0.1,1'; may be repeated."
        ),
    ] = None,
    anchor: Annotated[
        AnchorName | None,
        typer.Option(
            show_default="bottom-center", help="The point of a box that counts at lines and in zones."
        ),
    ] = None,
    server: Server = None,
    username: Username = None,
    password: Password = None,
    token: Token = None,
    data_dir: DataDir = None,
    slots: Slots = None,
) -> None:
    """Analyse videos, live, and write the results beside them."""
    from cli.analyze_options import AnalyzeOptions
    from cli.counting_options import parse_lines, parse_zones
    from cli.frame_options import parse_region, parse_tile
    from cli.sessions import analyze_session
    from cli.settings_options import settings_with
    from cli.signals import run_interruptible
    from cli.tracker_options import parse_tracker_options

    if recreate_people and not people:
        raise CliError("--recreate-people needs --people.", 2)
    if end is not None and end <= (start or 0):
        raise CliError("--end must be later than --start.", 2)
    options = AnalyzeOptions(
        videos=tuple(videos),
        ml_model=model,
        tracker=tracker.name,
        output_dir=output,
        frame_stride=stride,
        min_confidence=min_confidence,
        labels=tuple(label) if label else None,
        start_seconds=start,
        end_seconds=end,
        overlay=not no_overlay,
        crops=crops,
        pictures=pictures,
        create_people=people,
        recreate_people=recreate_people,
        is_fast=fast,
        region=parse_region(region),
        tile=parse_tile(tile),
        motion_gating=motion_gating,
        tracker_parameters=parse_tracker_options(tracker_option),
        lines=parse_lines(line, None if anchor is None else anchor.name),
        zones=parse_zones(zone, None if anchor is None else anchor.name),
    )
    settings = settings_with(data_dir=data_dir, slots=slots)
    remote = remote_server(server, username, password, token)
    console = make_console()
    raise typer.Exit(
        run_interruptible(
            lambda interruption: analyze_session(settings, options, console, interruption, remote)
        )
    )
