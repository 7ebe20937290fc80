import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_models.nms import non_maximum_suppression


def plain(boxes, scores, max_iou, class_ids):
    """Greedy suppression, one pair at a time."""
    kept = []
    for index in sorted(range(len(boxes)), key=lambda index: (-scores[index], index)):
        for other in kept:
            a, b = boxes[index], boxes[other]
            width = min(a[2], b[2]) - max(a[0], b[0])
            height = min(a[3], b[3]) - max(a[1], b[1])
            if class_ids[index] != class_ids[other] or width <= 0 or height <= 0:
                continue
            areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
            if width * height > max_iou * (sum(areas) - width * height):
                break
        else:
            kept.append(index)
    return kept


boxes = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 30), st.integers(1, 30)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
candidates = st.lists(st.tuples(boxes, st.integers(0, 20), st.integers(0, 2)), max_size=60)


@settings(deadline=None)
@given(candidates, st.sampled_from([0.3, 0.45, 0.7]))
def test_it_keeps_what_the_plain_algorithm_keeps(found, max_iou):
    corners = np.array([box for box, _, _ in found], dtype=np.float32).reshape(-1, 4)
    scores = np.array([score / 20 for _, score, _ in found], dtype=np.float32)
    class_ids = np.array([class_id for _, _, class_id in found], dtype=np.int64)
    kept = non_maximum_suppression(corners, scores, max_iou, class_ids)
    assert kept.tolist() == plain(corners.tolist(), scores.tolist(), max_iou, class_ids.tolist())
    agnostic = non_maximum_suppression(corners, scores, max_iou)
    assert agnostic.tolist() == plain(corners.tolist(), scores.tolist(), max_iou, [0] * len(found))


def test_more_candidates_than_one_block():
    random = np.random.default_rng(7)
    corners = random.uniform(0, 400, (1500, 4)).astype(np.float32)
    corners[:, 2:] = corners[:, :2] + random.uniform(5, 60, (1500, 2)).astype(np.float32)
    scores = random.random(1500).astype(np.float32)
    class_ids = random.integers(0, 3, 1500)
    kept = non_maximum_suppression(corners, scores, 0.45, class_ids)
    assert kept.tolist() == plain(corners.tolist(), scores.tolist(), 0.45, class_ids.tolist())


def test_what_remains_above_a_score_does_not_depend_on_what_lies_below():
    random = np.random.default_rng(8)
    corners = random.uniform(0, 100, (300, 4)).astype(np.float32)
    corners[:, 2:] = corners[:, :2] + random.uniform(5, 60, (300, 2)).astype(np.float32)
    scores = random.random(300).astype(np.float32)
    all_kept = non_maximum_suppression(corners, scores, 0.45)
    strong = np.flatnonzero(scores >= 0.5)
    strong_kept = strong[non_maximum_suppression(corners[strong], scores[strong], 0.45)]
    assert all_kept[scores[all_kept] >= 0.5].tolist() == strong_kept.tolist()
