"""Which pictures of a track are chosen."""

import random
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


def test_pictures_of_neighbouring_seconds_are_a_second_apart():
    frames = [
        (189, 18.9, [found(0.8, (10, 10, 60, 60))]),
        (190, 19.0, [found(0.9, (10, 10, 60, 60))]),
        (199, 19.9, [found(0.5, (10, 10, 60, 60))]),
        (200, 20.0, [found(0.7, (10, 10, 60, 60))]),
        (209, 20.9, [found(0.4, (10, 10, 60, 60))]),
    ]
    assert names(frames) == [
        "traffic_light/track_000001_frame_000190_19.000s.jpg",
        "traffic_light/track_000001_frame_000200_20.000s.jpg",
    ]


def test_of_a_thing_that_comes_nearer_there_are_still_three():
    frames = [(n, n / 10, [found(0.9, (10, 10, 20 + n, 20 + n))]) for n in range(60)]
    assert [name[-10:-4] for name in names(frames)] == ["3.900s", "4.900s", "5.900s"]


def test_the_best_comes_first_then_the_best_of_those_far_enough():
    for seed in range(200):
        chance = random.Random(seed)
        # The best of each second of the video is the only one in it.
        times = [second + chance.randrange(10) / 10 for second in range(8)]
        worth = [chance.randrange(1, 90) / 100 for _ in times]
        frames = [
            (n, t, [found(c, (10, 10, 60, 60))]) for n, (t, c) in enumerate(zip(times, worth, strict=True))
        ]
        expected: list[int] = []
        for n in sorted(range(8), key=lambda n: (-worth[n], n)):
            if len(expected) < 3 and all(abs(times[n] - times[one]) > 0.999 for one in expected):
                expected.append(n)
        assert [int(name.split("_")[4]) for name in names(frames)] == sorted(expected)


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
