"""Ground truth made from a real clip: what a model and a tracker find, shaken, thinned out and mixed up."""

import json
from pathlib import Path

import av
import cv2
import numpy as np

from ml_models.factory import create_ml_model
from tasks.evaluation.run import Found, RunOptions, run_sequence, tracked_rows
from tasks.evaluation.sequences import LabelledSequence, Pictures
from tasks.evaluation.truth import Truth

MODEL = "yunet-2026may"
OPTIONS = RunOptions("BYTE_TRACK", 0.6)
PICTURES = 60


def run(source: Path | Pictures, weights_dir: Path, tmp_path: Path) -> Found:
    """What the model and the tracker find, without ground truth."""
    model = create_ml_model(MODEL, weights_dir=tmp_path, mirror=str(weights_dir))
    nothing = np.empty(0)
    truth = Truth(nothing, nothing, np.empty((0, 4)), nothing, nothing, nothing)
    return run_sequence(LabelledSequence("clip", source, truth), model, OPTIONS)


def true_lines(found: Found, seed: int) -> list[str]:
    """MOT ground truth near to what was found, with some boxes missing, moved, renamed or not to be scored."""
    rng = np.random.default_rng(seed)
    lines = []
    for row in tracked_rows(found):
        if rng.random() < 0.15:
            continue
        x1, y1, x2, y2 = found.boxes[row] + rng.normal(0, 4, 4)
        number = found.tracks[row] ^ (found.frames[row] // 25 % 2)  # neighbours change their names, and back
        counts = int(rng.random() > 0.05)
        lines.append(
            f"{found.frames[row] + 1},{number},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{counts},1,1\n"
        )
    return lines


def write_pictures(clip: Path, folder: Path) -> Pictures:
    """The first frames of a clip as PNG files."""
    folder.mkdir(parents=True)
    with av.open(str(clip)) as container:
        for index, frame in zip(range(PICTURES), container.decode(video=0), strict=False):
            cv2.imwrite(str(folder / f"{index + 1:06}.png"), frame.to_ndarray(format="bgr24"))
    return Pictures(tuple(sorted(folder.iterdir())), 25.0)


def coco_of(lines: list[str], video: str, frame_count: int) -> str:
    """The same ground truth in COCO's form."""
    annotations = []
    for number, line in enumerate(lines, 1):
        frame, track, *bbox, counts, _, _ = map(float, line.split(","))
        annotations.append(
            {
                "id": number,
                "image_id": int(frame),
                "category_id": 3,
                "bbox": bbox,
                "area": bbox[2] * bbox[3],
                "iscrowd": int(not counts),
                "track_id": int(track),
            }
        )
    images = [
        {"id": index + 1, "video": video, "frame_index": index, "file_name": f"{index}.jpg"}
        for index in range(frame_count)
    ]
    categories = [{"id": 3, "name": "face"}]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def found_lines(found: Found) -> list[str]:
    """What a tracker's file would hold."""
    lines = []
    for row in tracked_rows(found):
        x1, y1, x2, y2 = map(float, found.boxes[row])
        lines.append(
            f"{found.frames[row] + 1},{found.tracks[row]},{x1},{y1},{x2 - x1},{y2 - y1},1,-1,-1,-1\n"
        )
    return lines
