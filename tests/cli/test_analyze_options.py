"""What `framewise analyze` asks the server for."""

import pytest
from graphql import build_schema, parse, validate

from cli import operations
from cli.analyze_options import AnalyzeOptions, settings_values
from cli.errors import CliError
from cli.tracker_options import parse_tracker_options
from graphql_api.schema import make_schema

ALL = AnalyzeOptions(
    videos=(),
    frame_stride=2,
    min_confidence=0.4,
    labels=("face",),
    start_seconds=1.0,
    end_seconds=2.0,
    crops=True,
    pictures=True,
    create_people=True,
    recreate_people=True,
    is_fast=True,
    region=((0, 0), (1, 0), (1, 1)),
    tile=(640, 0.2),
    motion_gating=False,
    tracker_parameters={"lostTrackSeconds": 2.0},
    lines=({"name": "door", "start": {"x": 0, "y": 0}, "end": {"x": 1, "y": 1}, "anchor": "CENTER"},),
    zones=({"name": "desk", "points": [{"x": 0, "y": 0}, {"x": 1, "y": 1}, {"x": 1, "y": 0}]},),
)


@pytest.fixture(scope="module")
def server_schema():
    return build_schema(make_schema().as_str())


def test_every_setting_of_the_api_has_an_option(server_schema):
    asked = settings_values(ALL, "yunet-2026may")
    assert asked.keys() == server_schema.get_type("AnalysisSettingsInput").fields.keys()
    assert asked["motionGating"] is False, "FAST gates unless it is told not to"


def test_every_parameter_of_trackers_can_be_typed(server_schema):
    fields = server_schema.get_type("TrackerParametersInput").fields
    typed = ["".join(f"-{c.lower()}" if c.isupper() else c for c in name) + "=1" for name in fields]
    assert parse_tracker_options(typed) == dict.fromkeys(fields, 1)
    assert parse_tracker_options(None) == {}


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["lost-track=2"], "no --tracker-option 'lost-track': did you mean lost-track-seconds"),
        (["min-iou"], "must be a name and a number"),
        (["min-iou=nan"], "must be a name and a number"),
        (["direction-frames=2.5"], "must be a name and a whole number"),
        (["min-iou=0.1", "min-iou=0.2"], "min-iou is given twice"),
    ],
)
def test_what_is_no_parameter_is_refused(texts, problem):
    with pytest.raises(CliError, match=problem) as caught:
        parse_tracker_options(texts)
    assert caught.value.exit_code == 2


def test_what_is_left_out_is_left_to_the_server():
    assert settings_values(AnalyzeOptions(videos=()), "m") == {
        "mlModel": "m",
        "tracker": "BYTE_TRACK",
        "frameStride": 1,
        "overlay": True,
    }


@pytest.mark.parametrize("name", [name for name in dir(operations) if name.isupper() and name[0] != "_"])
def test_the_server_understands_every_operation(server_schema, name):
    document = getattr(operations, name)
    if isinstance(document, str):
        assert validate(server_schema, parse(document)) == []
