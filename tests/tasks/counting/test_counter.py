"""Drawn things whose ways are known: what is counted, and that it is counted once."""

import random
from itertools import pairwise

import pytest

from tests.tasks.counting.things import ROOM, UP, WIDTH, Scene, seen


def test_once_over_the_line_and_once_back():
    scene = Scene()
    scene.walk(1, *range(300, 701, 50))
    assert scene.line == (1, 0)
    scene.walk(1, *range(700, 299, -50))
    assert scene.line == (1, 1)
    assert [(one.is_in, one.track_id, one.label) for one in scene.crossings] == [
        (True, 1, "person"),
        (False, 1, "person"),
    ]
    assert scene.crossings[0].timestamp_seconds == pytest.approx(0.5)  # 550: the first frame beyond


def test_a_crossing_is_when_the_line_is_passed_and_not_the_margin():
    scene = Scene()
    scene.walk(1, 490, 501, 499, 501, 502, 503, 510, 520)  # the margin is 4; back once, at 0.2 s
    assert [one.timestamp_seconds for one in scene.crossings] == [pytest.approx(0.3)]


def test_who_goes_out_left_at_the_wall_and_not_at_the_margin():
    scene = Scene()
    scene.walk(1, 550, 590, 601, 599, 601, 602, 603, 610, 620)
    (visit,) = scene.visits
    assert (visit.left_seconds, visit.went_out) == (pytest.approx(0.4), True)


def test_a_line_the_other_way_round_exchanges_in_and_out():
    scene = Scene([{**UP, "start": UP["end"], "end": UP["start"]}])
    scene.walk(1, *range(300, 701, 50))
    assert scene.line == (0, 1)


def test_trembling_on_the_line_counts_nothing():
    scene = Scene()
    chance = random.Random(1)
    scene.walk(1, *range(300, 500, 50))
    scene.walk(1, *(500 + chance.uniform(-3.9, 3.9) for _ in range(500)))
    assert scene.line == (0, 0)
    scene.walk(1, 510, 520, 540)
    assert scene.line == (1, 0)


@pytest.mark.parametrize("spread", [8.0, 20.0, 60.0])
def test_wild_trembling_never_counts_one_way_twice_in_a_row(spread):
    scene = Scene()
    chance = random.Random(2)
    scene.walk(1, *(500 + chance.gauss(0, spread) for _ in range(500)))
    ways = [one.is_in for one in scene.crossings]
    assert all(one != next_one for one, next_one in pairwise(ways))


def test_a_single_mistaken_box_counts_nothing():
    scene = Scene()
    scene.walk(1, 400, 420, 440, 700, 450, 460, 470)
    assert scene.line == (0, 0)
    assert scene.zone == (1, 1, 0), "and does not go out of the room"


def test_lost_on_one_side_and_found_on_the_other():
    scene = Scene()
    scene.walk(1, 400, 450, 480)
    for _ in range(5):
        scene.show()
    scene.walk(1, 560, 580)
    assert scene.line == (1, 0)


def test_who_goes_around_the_end_does_not_cross():
    scene = Scene([{"name": "gate", "start": (0.5, 0.8), "end": (0.5, 0.4)}], [])
    scene.walk(1, 400, 450, 550, 600, y=150)
    assert scene.line == (0, 0)
    scene.walk(1, 600, 550, 450, 400, y=300)
    assert scene.line == (0, 1), "but back through the gate"


def test_a_slanted_way_counts_where_it_meets_the_line():
    gate = {"name": "gate", "start": (0.5, 0.8), "end": (0.5, 0.4)}  # y from 200 to 400
    through, past = Scene([gate], []), Scene([gate], [])
    for x, y in ((420, 100), (460, 160), (540, 280), (580, 340)):
        through.show((1, x, y))
        past.show((1, x, y - 60))
    assert through.line == (1, 0)  # met at y = 220
    assert past.line == (0, 0)  # met at y = 160


def test_things_that_begin_on_a_side_do_not_cross():
    scene = Scene()
    scene.walk(1, 520, 560, 600)
    scene.walk(2, 480, 440, 300)
    assert scene.line == (0, 0)


def test_a_point_on_the_line_belongs_to_the_left():
    scene = Scene()
    scene.walk(1, 500, 500, 560, 580)
    assert scene.line == (1, 0)
    scene.walk(2, 500, 500, 440, 420)
    assert scene.line == (1, 0)


def test_labels_are_told_apart_and_may_be_chosen():
    scene = Scene([UP, {**UP, "name": "cars", "labels": ["car"]}], [])
    for track_id, label in ((1, "car"), (2, "person"), (3, "car")):
        scene.walk(track_id, *range(400, 601, 50), label=label)
    both, cars = scene.counter.totals()["lines"]
    assert both == {"name": "door", "in": 3, "out": 0, "by_label": {"car": [2, 0], "person": [1, 0]}}
    assert cars == {"name": "cars", "in": 2, "out": 0, "by_label": {"car": [2, 0]}}


def test_feet_count_unless_the_centre_is_asked_for():
    level = {"name": "edge", "start": (0.0, 0.5), "end": (1.0, 0.5)}  # y = 250, in is downwards
    scene = Scene([level, {**level, "name": "centre", "anchor": "CENTER"}], [])
    for y in (240, 246, 256, 262, 268):
        scene.show((1, 100, y))
    feet, centre = scene.counter.totals()["lines"]
    assert (feet["in"], centre["in"]) == (1, 0)
    for y in (280, 290, 300):
        scene.show((1, 100, y))
    feet, centre = scene.counter.totals()["lines"]
    assert (feet["in"], centre["in"]) == (1, 1)


def test_in_and_out_of_a_room():
    scene = Scene()
    scene.walk(1, *range(300, 701, 50))  # inside from 400, the wall at 600 not: seconds 0.2 to 0.6
    assert scene.zone == (0, 1, 1)
    (visit,) = scene.visits
    assert (visit.entered_seconds, visit.left_seconds, visit.went_out) == (
        pytest.approx(0.2),
        pytest.approx(0.6),
        True,
    )
    assert scene.counter.totals()["zones"][0]["mean_dwell_seconds"] == pytest.approx(0.4)


def test_trembling_at_a_wall_is_one_visit():
    scene = Scene()
    chance = random.Random(3)
    scene.walk(1, 300, 500)
    scene.walk(1, *(600 + chance.uniform(-3.9, 3.9) for _ in range(300)))
    assert scene.zone == (1, 1, 0)


def test_a_zone_smaller_than_the_margin_is_entered_all_the_same():
    scene = Scene(
        [], [{"name": "spot", "points": ((0.499, 0.59), (0.501, 0.59), (0.501, 0.61), (0.499, 0.61))}]
    )
    scene.walk(1, 400, 500, 500, 500, 600, 700)
    assert scene.zone == (0, 1, 1)


def test_those_who_are_lost_inside_stay_until_they_are_given_up():
    scene = Scene()
    scene.walk(1, 300, 450, 500, 500)
    for _ in range(3):
        scene.show((2, 700, 300))
    assert scene.zone == (1, 1, 0), "the tracker still looks for it"
    scene.counter.keep({2}.__contains__)
    assert scene.zone == (0, 1, 0)
    (visit,) = scene.visits
    assert (visit.left_seconds, visit.went_out) == (pytest.approx(0.3), False)


def test_occupancy_counts_all_who_are_there():
    scene = Scene()
    for _ in range(3):
        scene.show((1, 450, 200), (2, 500, 300), (3, 700, 300), (4, 550, 300, "dog"))
    zone = scene.counter.totals()["zones"][0]
    assert zone["occupancy"] == 3
    assert zone["by_label"] == {"dog": [1, 1, 0], "person": [2, 2, 0]}


def random_crowd(chance, frames):
    """A hundred tracks that wander about, appear and vanish."""
    begins = {track_id: chance.randrange(frames) for track_id in range(1, 101)}
    places = {track_id: (chance.uniform(0, WIDTH), chance.uniform(60, 500)) for track_id in begins}
    for frame in range(frames):
        things = []
        for track_id, begin in begins.items():
            if begin <= frame < begin + 60:
                x, y = places[track_id]
                places[track_id] = x + chance.gauss(0, 30), min(max(y + chance.gauss(0, 10), 60), 500)
                if chance.random() < 0.9:
                    things.append(seen(track_id, *places[track_id], "cat" if track_id % 3 else "dog"))
        yield frame * 0.1, things, {track_id for track_id, begin in begins.items() if begin + 60 > frame + 1}


@pytest.mark.parametrize("borders", [0.02, 0.5])
def test_state_through_bytes_and_when_tracks_are_given_up_change_nothing(borders):
    chance = random.Random(4)
    lines = [UP, {"name": "slanted", "start": (0.1, 0.2), "end": (0.8, 0.9), "labels": ["dog"]}]
    whole, cut = Scene(lines, [ROOM]), Scene(lines, [ROOM])
    for seconds, things, alive in random_crowd(random.Random(5), 300):
        whole.counter.update(seconds, things)
        cut.counter.update(seconds, things)
        if chance.random() < borders:
            cut.counter.keep(alive.__contains__)
            cut.counter = cut.new_counter().restore(cut.counter.to_bytes())
    for scene in (whole, cut):
        scene.counter.keep(lambda _: False)
    assert cut.counter.totals() == whole.counter.totals()
    assert cut.counter.to_bytes() == whole.counter.to_bytes()
    assert cut.crossings == whole.crossings
    assert sorted(cut.visits) == sorted(whole.visits)
    assert len(whole.crossings) > 20
    assert len(whole.visits) > 20


def test_the_state_does_not_grow_with_tracks_that_are_gone():
    scene = Scene()
    sizes = []
    for track_id in range(1, 200):
        scene.walk(track_id, *range(300, 701, 50))
        scene.counter.keep({track_id}.__contains__)
        sizes.append(len(scene.counter.to_bytes()))
    assert max(sizes) < 1.3 * sizes[0]
