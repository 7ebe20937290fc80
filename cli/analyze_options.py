"""What `framewise analyze` was asked for, and the settings that the server is given for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.client import FramewiseClient
from cli.errors import CliError
from cli.frame_options import Region
from cli.model_choice import choose_model, near
from cli.operations import RemoteModel


@dataclass(frozen=True)
class AnalyzeOptions:
    """What to analyse, and how.

    Args:
        videos: Files; those that are missing are reported one by one.
        ml_model: A model of the server; None: its best face detector that is ready.
        tracker: A tracker of the GraphQL schema.
        output_dir: Where results go; None: beside each video.
        frame_stride: Analyse only every Nth frame.
        min_confidence: Leave out detections below it; None: what the server takes by default.
        labels: Leave out other labels; None: keep all.
        start_seconds: Where in the video to begin.
        end_seconds: Where to end.
        overlay: Whether to make and fetch the video with boxes drawn.
        crops: Whether to make and fetch a zip of the best pictures of each track.
        pictures: Whether to make and fetch heat map, timeline and trajectories.
        create_people: Whether faces become people of the server's register.
        recreate_people: Whether those of people who were deleted from it become people again.
        is_fast: Whether speed matters more than exactness.
        region: Corners of the polygon to look at, as shares of the frame; None: the whole frame.
        tile: Pixels and overlap of the tiles that frames are cut into; None: none.
        motion_gating: Whether frames in which nothing moves are skipped; None: as the mode has it.
        tracker_parameters: Of the tracker, as the server takes them.
        lines: Lines to count at, as the server takes them.
        zones: Zones to count in, likewise.
    """

    videos: tuple[Path, ...]
    ml_model: str | None = None
    tracker: str = "BYTE_TRACK"
    output_dir: Path | None = None
    frame_stride: int = 1
    min_confidence: float | None = None
    labels: tuple[str, ...] | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    overlay: bool = True
    crops: bool = False
    pictures: bool = False
    create_people: bool = False
    recreate_people: bool = False
    is_fast: bool = False
    region: Region | None = None
    tile: tuple[int, float] | None = None
    motion_gating: bool | None = None
    tracker_parameters: Mapping[str, float] | None = None
    lines: tuple[dict[str, Any], ...] = ()
    zones: tuple[dict[str, Any], ...] = ()


async def analysis_settings(client: FramewiseClient, options: AnalyzeOptions) -> dict[str, Any]:
    """`AnalysisSettingsInput`, with what the server's models take.

    Raises:
        CliError: The server does not know the model or a label, or the model keeps nothing of so little
            confidence.
    """
    model = choose_model(await client.ml_models(), options.ml_model)
    _check(options, model)
    return settings_values(options, model.name)


def settings_values(options: AnalyzeOptions, ml_model: str) -> dict[str, Any]:
    """`AnalysisSettingsInput` without what is left to the server."""
    settings = {
        "mlModel": ml_model,
        "tracker": options.tracker,
        "frameStride": options.frame_stride,
        "minConfidence": options.min_confidence,
        "labels": list(options.labels) if options.labels else None,
        "startSeconds": options.start_seconds,
        "endSeconds": options.end_seconds,
        "overlay": options.overlay,
        "crops": options.crops or None,
        "pictures": options.pictures or None,
        "createPeople": options.create_people or None,
        "recreatePeople": options.recreate_people or None,
        **frame_settings(options),
        "trackerParameters": dict(options.tracker_parameters) if options.tracker_parameters else None,
        "lines": list(options.lines) or None,
        "zones": list(options.zones) or None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def frame_settings(options: AnalyzeOptions) -> dict[str, Any]:
    """The part of them that says how frames are looked at; None for what is left to the server."""
    tile = options.tile
    return {
        "mode": "FAST" if options.is_fast else None,
        "region": None if options.region is None else [{"x": x, "y": y} for x, y in options.region],
        "tiling": None if tile is None else {"tilePixels": tile[0], "overlap": tile[1]},
        "motionGating": options.motion_gating,
    }


def _check(options: AnalyzeOptions, model: RemoteModel) -> None:
    for label in options.labels or ():
        if label not in model.labels:
            raise CliError(f"The model {model.name} has no label {label!r}: {near(label, model.labels)}", 2)
    if options.min_confidence is not None and options.min_confidence < model.floor_confidence:
        raise CliError(
            f"--min-confidence must be at least {model.floor_confidence:g} with the model {model.name}, "
            "which keeps no detections that are less certain.",
            2,
        )
