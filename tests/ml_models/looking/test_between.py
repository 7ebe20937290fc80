"""Looks are taken where they are needed, and what lies between them is on the way from one to the other."""

import numpy as np
import pytest
import supervision as sv

from ml_models.looking.between import MOST_STEPS, Decided, LooksBetween


def detections(*things) -> sv.Detections:
    """Things: x of a box 20 wide and high, confidence, and maybe class."""
    rows = [(*thing, 0)[:3] for thing in things]
    boxes = np.array([[x, 10, x + 20, 30] for x, *_ in rows], dtype=np.float32).reshape(-1, 4)
    return sv.Detections(
        xyxy=boxes,
        confidence=np.array([confidence for _, confidence, _ in rows], dtype=np.float32),
        class_id=np.array([class_id for *_, class_id in rows], dtype=np.int64),
        data={
            "landmarks": boxes.reshape(-1, 2, 2) + 1,
            "class_name": np.array([f"thing {class_id}" for *_, class_id in rows]),
        },
    )


def run(frames: list[sv.Detections], **options) -> tuple[list[Decided[int]], list[int]]:
    looked_at: list[int] = []

    def look(place: int) -> sv.Detections:
        looked_at.append(place)
        return frames[place]

    looks = LooksBetween[int](look, sure_confidence=0.5, **options)
    decided = [one for place in range(len(frames)) for one in looks.add(place)]
    return [*decided, *looks.finish()], looked_at


def test_every_picture_is_decided_once_and_in_order():
    generator = np.random.default_rng(7)
    for _ in range(50):
        count = int(generator.integers(0, 40))
        frames = [
            detections(*((float(x), float(c)) for x, c in generator.uniform((0, 0), (90, 1), (n, 2))))
            for n in generator.integers(0, 4, count)
        ]
        decided, looked_at = run(frames)
        assert [one.picture for one in decided] == list(range(count))
        assert sorted(looked_at) == [one.picture for one in decided if one.is_looked_at]
        assert len(set(looked_at)) == len(looked_at)
        for one in decided:
            if one.is_looked_at:
                assert one.detections is frames[one.picture]


def test_even_motion_is_found_between_looks_that_grow_rarer():
    frames = [detections((place / 2, 0.9), (200, 0.8, 1)) for place in range(64)]
    decided, looked_at = run(frames)
    assert looked_at == [0, 1, 3, 7, 15, 23, 31, 39, 47, 55, 63]
    for one in decided:
        assert one.detections.xyxy == pytest.approx(frames[one.picture].xyxy)
        assert one.detections.data["landmarks"] == pytest.approx(frames[one.picture].data["landmarks"])
        assert one.detections.data["class_name"].tolist() == ["thing 0", "thing 1"]
        assert one.detections.class_id.tolist() == [0, 1]


def test_nothing_at_all_is_looked_at_rarely():
    decided, looked_at = run([detections()] * 50)
    assert len(looked_at) < 50 / MOST_STEPS + 5
    assert not any(len(one.detections) for one in decided)


def test_where_something_appears_is_found_to_the_frame():
    appears = 37
    frames = [detections() if place < appears else detections((50, 0.9)) for place in range(60)]
    decided, looked_at = run(frames)
    assert [len(one.detections) for one in decided] == [0] * appears + [1] * (60 - appears)
    assert len(looked_at) < 30


def test_another_label_is_another_thing():
    frames = [detections((50, 0.9, int(place >= 21))) for place in range(40)]
    decided, _ = run(frames)
    assert [one.detections.class_id.tolist() for one in decided] == [
        [int(place >= 21)] for place in range(40)
    ]


def test_a_thing_too_far_from_its_last_place_is_looked_for():
    frames = [detections((30 * place, 0.9)) for place in range(20)]
    _, looked_at = run(frames)
    assert sorted(looked_at) == list(range(20))


def test_the_unsure_neither_disagree_nor_last():
    frames = [detections((50, 0.9), (150 + 30 * place, 0.3)) for place in range(40)]
    decided, looked_at = run(frames)
    assert len(looked_at) < 12
    assert {len(one.detections) for one in decided if not one.is_looked_at} == {1}


def test_a_thing_that_is_unsure_at_one_end_goes_on_with_the_higher_confidence():
    frames = [detections((50, 0.9 if place % 2 else 0.3)) for place in range(8)]
    decided, _ = run(frames, most_steps=2)
    assert all(one.detections.confidence == pytest.approx([0.9]) for one in decided if not one.is_looked_at)


def test_two_in_one_place_do_not_share_a_partner():
    frames = [
        detections((50, 0.9), (52, 0.8)) if place < 10 else detections((50, 0.9)) for place in range(20)
    ]
    decided, _ = run(frames)
    assert [len(one.detections) for one in decided] == [2] * 10 + [1] * 10


def test_no_more_is_held_than_allowed():
    looks = LooksBetween[int](lambda place: detections((50, 0.9)), 0.5, most_steps=3)
    given = 0
    for place in range(50):
        given += sum(1 for _ in looks.add(place))
        assert place + 1 - given < 3
