"""Ground truth in COCO's form, of videos or of pictures."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.truth import NO_ID, Truth

PICTURES = "pictures"
"""The sequence of all pictures that belong to no video."""

_ID_NAMES = ("track_id", "instance_id")


@dataclass(frozen=True)
class CocoSequence:
    """A video, or pictures, and what is to be found in it.

    Args:
        name: Of the file of the video; `PICTURES` for pictures.
        pictures: Names of their files; None for a video.
        truth: The ground truth.
        digests: The SHA-256 of files that say theirs, by name.
    """

    name: str
    pictures: Sequence[str] | None
    truth: Truth
    digests: Mapping[str, str]


def read_coco(path: Path) -> Iterator[CocoSequence]:
    """The sequences of a file.

    An image belongs to a video if it has a `frame_index` (from 0) and names the video with `video`, or with
    `video_id` that points into `videos`. Others are pictures; their frames are numbered in the order of their
    names. Tracks are judged if annotations have a `track_id`. Videos and pictures may have a `sha256`.

    Raises:
        GroundTruthError: It is not in COCO's form.
    """
    try:
        document = json.loads(path.read_bytes())
        yield from _sequences(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GroundTruthError(f"{path} is no COCO ground truth: {type(error).__name__}: {error}") from error


def _sequences(document: dict[str, Any]) -> Iterator[CocoSequence]:
    categories = {one["id"]: str(one["name"]) for one in document["categories"]}
    videos = {one["id"]: _name(one) for one in document.get("videos", [])}
    digests = {
        _name(one): str(one["sha256"])
        for one in (*document.get("videos", []), *document["images"])
        if one.get("sha256") is not None
    }
    images: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for image in document["images"]:
        images[_video_of(image, videos)].append(image)
    by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    for video, its_images in sorted(images.items(), key=lambda item: item[0] or ""):
        if video is None:
            pictures = sorted(its_images, key=lambda image: str(image["file_name"]))
            frames = {image["id"]: number for number, image in enumerate(pictures)}
            names = [str(image["file_name"]) for image in pictures]
            yield CocoSequence(PICTURES, names, _truth(frames, by_image, categories), digests)
        else:
            frames = {image["id"]: int(image["frame_index"]) for image in its_images}
            yield CocoSequence(video, None, _truth(frames, by_image, categories), digests)


def _name(video_or_image: dict[str, Any]) -> str:
    return str(video_or_image.get("name") or video_or_image["file_name"])


def _video_of(image: dict[str, Any], videos: dict[Any, str]) -> str | None:
    if image.get("frame_index") is None:
        return None
    if "video" in image:
        return str(image["video"])
    return videos[image["video_id"]]


def _truth(
    frames: dict[Any, int], annotations: dict[Any, list[dict[str, Any]]], categories: dict[Any, str]
) -> Truth:
    rows = [
        (frame, annotation, categories[annotation["category_id"]])
        for image, frame in sorted(frames.items(), key=lambda item: item[1])
        for annotation in annotations[image]
    ]
    boxes = np.array([row["bbox"] for _, row, _ in rows], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Truth(
        frames=np.array([frame for frame, _, _ in rows], dtype=np.int64),
        ids=np.array([_id(row) for _, row, _ in rows], dtype=np.int64),
        boxes=boxes,
        labels=np.array([label for _, _, label in rows], dtype=object),
        ignored=np.array([bool(row.get("iscrowd", 0)) for _, row, _ in rows], dtype=bool),
        distractors=np.zeros(len(rows), dtype=np.int64),
        annotated_frames=frozenset(frames.values()),
    )


def _id(annotation: dict[str, Any]) -> int:
    found = next((annotation[name] for name in _ID_NAMES if annotation.get(name) is not None), NO_ID)
    return int(found)
