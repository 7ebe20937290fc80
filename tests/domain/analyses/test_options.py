"""What may be set, what is refused with which words, and that it comes back from storage as it was."""

import orjson
import pytest

from domain.analyses.options import (
    AnalysisMode,
    Anchor,
    Counting,
    CountingLine,
    DetectionOptions,
    Tiling,
    TrackingOptions,
    Zone,
    read_options,
    stored_options,
)
from domain.errors import InvalidError

TRIANGLE = ((0.0, 0.0), (1.0, 0.0), (0.5, 1.0))
LINE = CountingLine("door", (0.0, 0.5), (1.0, 0.5))


@pytest.mark.parametrize(
    "options",
    [
        DetectionOptions(),
        DetectionOptions(AnalysisMode.FAST, TRIANGLE, Tiling(320, 0.1), motion_gating=True),
        TrackingOptions(),
        TrackingOptions(2.0, 0.3, 4),
        TrackingOptions(2.0, 0.3, 4, 0.6, 0.5, 0.4, 0.3, 5),
        Counting((CountingLine("door", (0.0, 0.5), (1.0, 0.5), None, Anchor.CENTER),)),
        Counting(),
        Counting((LINE,), (Zone("yard", TRIANGLE, ("person",)),)),
    ],
    ids=repr,
)
def test_options_come_back_from_json(options) -> None:
    options.check(())
    stored = stored_options(options)
    assert (stored is None) == (options == type(options)())
    assert read_options(type(options), orjson.loads(orjson.dumps(stored))) == options


@pytest.mark.parametrize(
    ("options", "path", "words"),
    [
        (DetectionOptions(region=TRIANGLE[:2]), "region", "3 to 64 points"),
        (DetectionOptions(region=((0, 0), (0.5, 0.5), (1, 1))), "region", "no area"),
        (DetectionOptions(region=((0, 0), (1, 1), (0.5, 0.5), (0.2, 0.2))), "region", "no area"),
        (Counting(zones=(Zone("a", ((0, 0), (1, 0), (1, 1), (1, 0))),)), "zones.0.points", "no area"),
        (DetectionOptions(region=((0, 0), (1, 0), (1, 1.5))), "region", "shares of the frame"),
        (DetectionOptions(region=((0, 0), (1, 0), (1, float("nan")))), "region", "shares of the frame"),
        (DetectionOptions(tiling=Tiling(10)), "tiling.tile_pixels", "from 64 to 4096"),
        (DetectionOptions(tiling=Tiling(640, 0.9)), "tiling.overlap", "from 0 to 0.5"),
        (TrackingOptions(lost_track_seconds=-1), "lost_track_seconds", "from 0 to 60"),
        (TrackingOptions(min_iou=1.0), "min_iou", "minIou must be more than 0 and less than 1"),
        (TrackingOptions(min_consecutive_frames=0), "min_consecutive_frames", "from 1 to 100"),
        (TrackingOptions(activation_confidence=1.1), "activation_confidence", "from 0 to 1"),
        (TrackingOptions(high_confidence=float("nan")), "high_confidence", "from 0 to 1"),
        (TrackingOptions(weak_min_iou=0.0), "weak_min_iou", "weakMinIou must be more than 0 and less than 1"),
        (TrackingOptions(direction_weight=2.0), "direction_weight", "directionWeight must be from 0 to 1"),
        (TrackingOptions(direction_frames=0), "direction_frames", "from 1 to 100"),
        (Counting((LINE, LINE)), "lines.1.name", "Two lines or zones"),
        (Counting((LINE,), (Zone("door", TRIANGLE),)), "zones.0.name", "Two lines or zones"),
        (Counting((CountingLine("", (0, 0), (1, 1)),)), "lines.0.name", "1 to 64"),
        (Counting((CountingLine("a", (0, 0), (0, 0)),)), "lines.0.end", "begins where it ends"),
        (Counting((CountingLine("a", (0, 0), (2, 0)),)), "lines.0", "shares of the frame"),
        (Counting((CountingLine("a", (0, 0), (1, 0), ()),)), "lines.0.labels", "labels is empty"),
        (Counting(zones=(Zone("a", TRIANGLE[:2]),)), "zones.0.points", "3 to 64 points"),
        (Counting(tuple(CountingLine(str(n), (0, 0), (1, 1)) for n in range(17))), "lines", "takes 16"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(options, path, words) -> None:
    with pytest.raises(InvalidError, match=words) as caught:
        options.check(())
    assert ".".join(caught.value.path) == path


@pytest.mark.parametrize(
    "points",
    [
        ((0, 0), (1, 1), (1, 0), (0, 1)),
        ((0, 0), (1, 1), (0, 1), (1, 0)),
        ((0.5, 0), (0.8, 1), (0, 0.4), (1, 0.4), (0.2, 1)),
    ],
    ids=["two beside each other", "one above the other", "star"],
)
def test_a_polygon_may_cross_itself(points) -> None:
    Counting(zones=(Zone("a", points),)).check(())
    DetectionOptions(region=points).check(())


def test_tracks_are_not_made_of_what_is_not_reported() -> None:
    TrackingOptions(activation_confidence=0.5).check((), min_confidence=0.5)
    with pytest.raises(InvalidError, match="activationConfidence must not be below minConfidence"):
        TrackingOptions(activation_confidence=0.4).check((), min_confidence=0.5)
