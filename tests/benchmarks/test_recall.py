"""What the figures of the benchmarks are counted by."""

from benchmarks.recall import agreed, only, recall

A, B, C = (0.0, 0.0, 10.0, 10.0), (100.0, 0.0, 110.0, 10.0), (1.0, 0.0, 11.0, 10.0)


def things(*boxes, label="face"):
    return [(label, 0.9, box) for box in boxes]


def test_each_box_finds_one_of_its_own():
    expected = {0: things(A, B), 1: things(A)}
    assert recall(expected, expected).share == 1
    assert recall(expected, {0: things(C)}) == recall({0: things(A, B), 1: things(A)}, {0: things(A)})
    assert recall({0: things(A, C)}, {0: things(A)}).found == 1
    assert recall(expected, {0: things(A, B, label="person"), 1: things(A)}).found == 1
    assert recall(expected, {1: things(A, B)}).found == 1
    assert recall({}, expected).share == 1


def test_two_of_three_must_agree():
    runs = {"one": {0: things(A)}, "two": {0: things(C, B)}, "three": {0: things(B), 1: things(A)}}
    found = agreed(runs, 0.4)
    assert [box for *_, box in found[0]] == [A, B]
    assert found[1] == []


def test_labels_are_told_apart():
    boxes = {0: things(A) + things(B, label="person")}
    assert only(boxes, "person") == {0: things(B, label="person")}
