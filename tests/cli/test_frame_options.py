"""How frames are looked at, as it is typed."""

import pytest

from cli.analyze_options import AnalyzeOptions, frame_settings
from cli.errors import CliError
from cli.frame_options import parse_region, parse_tile


def test_what_is_typed_is_what_the_server_gets():
    options = AnalyzeOptions(
        videos=(),
        is_fast=True,
        region=parse_region(" 0,0.5 1,0.5  1,1"),
        tile=parse_tile("512,0.3"),
        motion_gating=True,
    )
    assert frame_settings(options) == {
        "mode": "FAST",
        "region": [{"x": 0.0, "y": 0.5}, {"x": 1.0, "y": 0.5}, {"x": 1.0, "y": 1.0}],
        "tiling": {"tilePixels": 512, "overlap": 0.3},
        "motionGating": True,
    }
    assert set(frame_settings(AnalyzeOptions(videos=())).values()) == {None}
    assert parse_tile("640") == (640, 0.2)
    assert parse_region(None) is None
    assert parse_tile(None) is None


@pytest.mark.parametrize(
    "text", ["", "0,0 1,1", "0,0 1,1 2,0", "0,0 1,1 x,0", "0;0 1;1 1;0", "0,0,0 1,1 1,0", "0,0 1,1 nan,0"]
)
def test_what_is_no_region_is_refused(text):
    with pytest.raises(CliError, match="--region must be three or more points") as caught:
        parse_region(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text", ["", "0", "-640", "wide", "640,much", "640,nan", "640,9", "640,-0.1", "63", "4097"]
)
def test_what_is_no_tile_is_refused(text):
    with pytest.raises(CliError, match="--tile must be pixels from 64 to 4096"):
        parse_tile(text)
