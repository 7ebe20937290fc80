import pytest

from cli import text
from cli.counting_options import parse_lines, parse_zones
from cli.errors import CliError
from cli.operations import LineCount, ZoneCount


def test_lines_and_zones_as_the_server_takes_them():
    assert parse_lines(None) == parse_zones(None) == ()
    assert parse_lines(["north: door:0.5,1 0.5,0"]) == (
        {"name": "north: door", "start": {"x": 0.5, "y": 1.0}, "end": {"x": 0.5, "y": 0.0}},
    )
    (zone,) = parse_zones(["desk:0,0 1,0  1,1"])
    assert zone == {"name": "desk", "points": [{"x": 0, "y": 0}, {"x": 1, "y": 0}, {"x": 1, "y": 1}]}


@pytest.mark.parametrize(
    "wrong", ["", "door", "door:0,0", "door:0,0 1,0 1,1 0,1", "0,0 1,1", "door:0,0 1,2", "d:a,b"]
)
def test_what_is_no_line_is_refused(wrong):
    with pytest.raises(CliError, match="--line must be a name and two points"):
        parse_lines([wrong])


@pytest.mark.parametrize("wrong", ["", "desk:0,0 1,1", "desk:0,0 1,1 -1,0", "desk:0,0 1,1 nan,0"])
def test_what_is_no_zone_is_refused(wrong):
    with pytest.raises(CliError, match="--zone must be a name and three or more points"):
        parse_zones([wrong])


def test_what_was_counted_in_words():
    assert text.line_count(LineCount("door", 5, 1200)) == "door: 5 in, 1,200 out"
    assert text.zone_count(ZoneCount("desk", 1, 6, 5, 18.6)) == "desk: 6 came, 5 left, 1 there, 19 s each"
    assert text.zone_count(ZoneCount("desk", 0, 0, 0, None)) == "desk: 0 came, 0 left, 0 there"
