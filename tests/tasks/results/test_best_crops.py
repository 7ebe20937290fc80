"""Which pictures of a track are chosen."""

from typing import Any

from tasks.results.best_crops import best_crops
from tests.tasks.tables import tracked

VIDEO = {"width": 100, "height": 100}


def found(confidence: float, box: tuple[float, float, float, float], track: int | None = 1) -> Any:
    return ("traffic light/../", confidence, box, track)


def names(frames: list[Any]) -> list[str]:
    return sorted(crop.name for crop in best_crops([tracked([frame]) for frame in frames], VIDEO))


def test_the_best_of_three_seconds_are_chosen():
    frames = [
        (0, 0.0, [found(0.5, (10, 10, 30, 30))]),
        (5, 0.5, [found(0.6, (10, 10, 30, 30))]),
        (10, 1.0, [found(0.9, (10, 10, 20, 20))]),
        (20, 2.0, [found(0.9, (10, 10, 50, 50))]),
        (30, 3.0, [found(0.9, (10, 10, 60, 60))]),
    ]
    assert names(frames) == [
        f"traffic_light/track_000001_frame_{frame:06}_{seconds:.3f}s.jpg"
        for frame, seconds in ((5, 0.5), (20, 2.0), (30, 3.0))
    ]


def test_a_whole_thing_is_better_than_a_large_part_of_one():
    frames = [
        (0, 0.0, [found(0.9, (0, 10, 90, 90))]),
        (1, 0.1, [found(0.4, (40, 40, 50, 50))]),
        (2, 0.2, [found(0.9, (40, 40, 140, 140))]),
    ]
    assert names(frames) == ["traffic_light/track_000001_frame_000001_0.100s.jpg"]


def test_of_equals_the_first_is_taken_and_what_has_no_track_is_left_out():
    frames = [(n, n / 10, [found(0.9, (10, 10, 20, 20)), found(0.9, BIG, None)]) for n in range(5)]
    assert names(frames) == ["traffic_light/track_000001_frame_000000_0.000s.jpg"]


BIG = (5.0, 5.0, 95.0, 95.0)
