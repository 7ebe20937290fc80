"""Detections at the edge: pages of rows read from stored segments."""

from typing import Any

import strawberry

from domain.analyses.models import Analysis
from domain.errors import InvalidError
from graphql_api.context import Context
from graphql_api.relay import Connection, decode_cursor, encode_cursor, make_connection, page_size
from tasks.results.reader import DetectionFilter, Position, read_detections


@strawberry.type(description="A box in pixels of the upright frame.")
class BoundingBox:
    x: float = strawberry.field(description="Left edge.")
    y: float = strawberry.field(description="Top edge.")
    width: float = strawberry.field(description="Width.")
    height: float = strawberry.field(description="Height.")


@strawberry.type(description="A point of a thing, such as an eye, in pixels of the upright frame.")
class Landmark:
    x: float = strawberry.field(description="From the left edge.")
    y: float = strawberry.field(description="From the top edge.")
    score: float | None = strawberry.field(
        description="How certain the model is of it, on a scale of its own; null if it does not tell."
    )


@strawberry.type(description="The pixels of a thing, as COCO's compressed run-length encoding.")
class Mask:
    size: list[int] = strawberry.field(description="Height and width of the upright frame.")
    counts: str = strawberry.field(description="The encoding, as `pycocotools.mask.decode` takes it.")


@strawberry.type(description="Something a model saw in a frame.")
class Detection:
    frame_index: int = strawberry.field(description="The frame's number in the video, from 0.")
    timestamp_seconds: float = strawberry.field(description="The frame's presentation time.")
    label: str = strawberry.field(description="What it is.")
    confidence: float = strawberry.field(description="How certain the model is, from 0 to 1.")
    box: BoundingBox = strawberry.field(description="Where it is.")
    track_id: int | None = strawberry.field(description="The number of its track; null if it has none.")
    landmarks: list[Landmark] | None = strawberry.field(description="Null if the model gives none.")
    mask: Mask | None = strawberry.field(description="Its pixels; null if the model gives no masks.")


async def page_of_detections(
    context: Context, analysis: Analysis, wanted: DetectionFilter, first: int | None, after: str | None
) -> Connection[Detection]:
    """One page of an analysis' detections.

    Raises:
        InvalidError: `first` is negative, or `after` is no cursor of this list.
        LimitExceededError: `first` is more than a page may hold.
    """
    size = page_size(first, 100)
    position = None if after is None else _position(after)
    found = await read_detections(context.state.storage, analysis, wanted, position, size + 1)
    page = found[:size]
    detections = [
        Detection(
            frame_index=row["frame_index"],
            timestamp_seconds=row["timestamp_seconds"],
            label=row["label"],
            confidence=row["confidence"],
            box=BoundingBox(
                x=row["x1"], y=row["y1"], width=row["x2"] - row["x1"], height=row["y2"] - row["y1"]
            ),
            track_id=row["track_id"],
            landmarks=_landmarks(row),
            mask=None if row.get("mask") is None else Mask(**row["mask"]),
        )
        for _, row in page
    ]
    return make_connection(
        detections,
        [encode_cursor(place.segment, place.row) for place, _ in page],
        has_next_page=len(found) > size,
        has_previous_page=after is not None,
    )


def _landmarks(row: dict[str, Any]) -> list[Landmark] | None:
    values = row["landmarks"]
    if values is None:
        return None
    points = list(zip(values[::2], values[1::2], strict=True))
    scores = row.get("landmark_scores") or [None] * len(points)
    return [Landmark(x=x, y=y, score=score) for (x, y), score in zip(points, scores, strict=True)]


def _position(cursor: str) -> Position:
    values = decode_cursor(cursor)
    if len(values) != 2 or not all(type(value) is int and 0 <= value < 2**31 for value in values):
        raise InvalidError("`after` is not a cursor of this list.", ("after",))
    return Position(*values)
