"""Detections at the edge: pages of rows read from stored segments."""

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


@strawberry.type(description="Something a model saw in a frame.")
class Detection:
    frame_index: int = strawberry.field(description="The frame's number in the video, from 0.")
    timestamp_seconds: float = strawberry.field(description="The frame's presentation time.")
    label: str = strawberry.field(description="What it is.")
    confidence: float = strawberry.field(description="How certain the model is, from 0 to 1.")
    box: BoundingBox = strawberry.field(description="Where it is.")
    track_id: int | None = strawberry.field(description="The number of its track; null if it has none.")


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
        )
        for _, row in page
    ]
    return make_connection(
        detections,
        [encode_cursor(place.segment, place.row) for place, _ in page],
        has_next_page=len(found) > size,
        has_previous_page=after is not None,
    )


def _position(cursor: str) -> Position:
    values = decode_cursor(cursor)
    if len(values) != 2 or not all(type(value) is int and 0 <= value < 2**31 for value in values):
        raise InvalidError("`after` is not a cursor of this list.", ("after",))
    return Position(*values)
