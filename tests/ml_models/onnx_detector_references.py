"""Pre- and post-processing of each family, written from its official description, one box at a time."""

import math

import cv2
import numpy as np

from tests.ml_models.onnx_graphs import HEIGHT, STRIDES, WIDTH

FLOOR = 0.1


def iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def suppressed(candidates, max_iou):
    kept = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate[0]):
        if all(candidate[1] != other[1] or iou(candidate[2], other[2]) <= max_iou for other in kept):
            kept.append(candidate)
    return kept


def clipped(found, frame):
    """Inside the frame; what is empty then is no thing."""
    height, width = frame.shape[:2]
    result = []
    for score, class_id, (x1, y1, x2, y2) in found:
        x1, x2 = (min(max(v, 0), width) for v in (x1, x2))
        y1, y2 = (min(max(v, 0), height) for v in (y1, y2))
        if x2 > x1 and y2 > y1:
            result.append((score, class_id, [x1, y1, x2, y2]))
    return result


def around(x, y, w, h):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def yolox(session, frame):
    """YOLOX' demo/ONNXRuntime: BGR 0 to 255, top left in grey 114; boxes from cells, log sizes."""
    ratio = min(HEIGHT / frame.shape[0], WIDTH / frame.shape[1])
    size = int(frame.shape[1] * ratio), int(frame.shape[0] * ratio)
    padded = np.full((HEIGHT, WIDTH, 3), 114, np.uint8)
    padded[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
    (output,) = session.run(None, {"images": padded.transpose(2, 0, 1)[None].astype(np.float32)})
    found, anchor = [], 0
    for stride in STRIDES:
        for row in range(HEIGHT // stride):
            for column in range(WIDTH // stride):
                x, y, w, h, thing, *classes = output[0, anchor].tolist()
                anchor += 1
                score = thing * max(classes)
                if score >= FLOOR:
                    box = around(
                        (x + column) * stride, (y + row) * stride, math.exp(w) * stride, math.exp(h) * stride
                    )
                    found.append((score, classes.index(max(classes)), box))
    assert anchor == output.shape[1]
    to_frame = (frame.shape[1] / size[0], frame.shape[0] / size[1]) * 2
    kept = suppressed(found, 0.45)
    return clipped([(s, c, [v * f for v, f in zip(b, to_frame, strict=True)]) for s, c, b in kept], frame)


def ultralytics_input(frame):
    """LetterBox: RGB 0 to 1, in the middle of grey 114."""
    gain = min(HEIGHT / frame.shape[0], WIDTH / frame.shape[1])
    width, height = round(frame.shape[1] * gain), round(frame.shape[0] * gain)
    left, top = round((WIDTH - width) / 2 - 0.1), round((HEIGHT - height) / 2 - 0.1)
    padded = np.full((HEIGHT, WIDTH, 3), 114, np.uint8)
    padded[top : top + height, left : left + width] = cv2.resize(frame, (width, height))
    return padded[:, :, ::-1].astype(np.float32) / 255, gain, left, top


def yolov8(session, frame, channels_last=False):
    """Ultralytics' predictor: one label a box, suppression within labels at 0.7, at most 300."""
    image, gain, left, top = ultralytics_input(frame)
    image = image[None] if channels_last else image.transpose(2, 0, 1)[None]
    (output,) = session.run(None, {"images": np.ascontiguousarray(image)})
    found = []
    for x, y, w, h, *scores in output[0].T.tolist():
        if max(scores) >= FLOOR:
            found.append((max(scores), scores.index(max(scores)), around(x, y, w, h)))
    kept = suppressed(found, 0.7)[:300]
    return clipped(
        [
            (s, c, [(v - p) / gain for v, p in zip(b, (left, top, left, top), strict=True)])
            for s, c, b in kept
        ],
        frame,
    )


def stretched(frame):
    image = cv2.resize(frame, (WIDTH, HEIGHT))[:, :, ::-1].astype(np.float32) / 255
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def detr(session, frame):
    """RT-DETR's postprocessor: logistic scores, the best pairs of query and label, shares of the frame."""
    logits, boxes = session.run(["logits", "pred_boxes"], {"images": stretched(frame)})
    pairs = [
        (1 / (1 + math.exp(-logit)), class_id, query)
        for query, row in enumerate(logits[0].tolist())
        for class_id, logit in enumerate(row)
    ]
    best = sorted(pairs, key=lambda pair: -pair[0])[: len(boxes[0])]
    height, width = frame.shape[:2]
    found = []
    for score, class_id, query in best:
        if score >= FLOOR:
            x, y, w, h = boxes[0, query].tolist()
            found.append((score, class_id, around(x * width, y * height, w * width, h * height)))
    return clipped(found, frame)


def decoded_detr(session, frame):
    """The deployment export: labels, boxes in pixels of the frame whose size it was given, scores."""
    size = np.array([[frame.shape[1], frame.shape[0]]], np.int64)
    feeds = {"images": stretched(frame), "orig_target_sizes": size}
    labels, boxes, scores = session.run(["labels", "boxes", "scores"], feeds)
    triples = zip(scores[0].tolist(), labels[0].tolist(), boxes[0].tolist(), strict=True)
    return clipped(sorted((t for t in triples if t[0] >= FLOOR), key=lambda t: -t[0]), frame)
