"""What was counted, with every crossing and visit: the entry `counting` of results."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from tasks.counting.counter import Crossing, TrackCounter, Visit
from tasks.counting.tables import count_table
from tasks.results.table import SegmentTable

SECONDS_DIGITS = 6


def count_tracks(
    tables: Iterable[SegmentTable],
    counting: Mapping[str, Any],
    width: int,
    height: int,
    last_seconds: Mapping[int, float],
    present: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Count once more from the first frame, and keep what happened; the counts are those of the tracking.

    Args:
        tables: After threshold, label filter and tracker, in order.
        counting: `domain.analyses.options.Counting` as it is stored.
        width: Of the frames that boxes are in.
        height: Likewise.
        last_seconds: When each track is seen last.
        present: How many are in each zone at the end, as the tracking counted: the tracker may still look for
            some that are lost. None: those who are seen in the last frame.
    """
    crossings: list[Crossing] = []
    visits: list[Visit] = []
    counter = TrackCounter(counting, width, height, crossings.append, visits.append)
    end = 0.0
    for table in tables:
        count_table(counter, table)
        if len(table.timestamp_seconds):
            end = float(table.timestamp_seconds[-1])
            counter.keep(lambda track_id, now=end: last_seconds[track_id] > now)  # type: ignore[misc]
    counter.keep(lambda track_id: False)
    totals = counter.totals()
    of_line: list[list[Crossing]] = [[] for _ in totals["lines"]]
    for crossing in crossings:
        of_line[crossing.line].append(crossing)
    of_zone: list[list[Visit]] = [[] for _ in totals["zones"]]
    for visit in visits:
        of_zone[visit.zone].append(visit)
    if present is None:
        present = [sum(not one.went_out and one.left_seconds == end for one in found) for found in of_zone]
    return {
        "lines": [
            {**shape, **_line(line, found)}
            for shape, line, found in zip(counting["lines"], totals["lines"], of_line, strict=True)
        ],
        "zones": [
            {**shape, **_zone(zone, found, there)}
            for shape, zone, found, there in zip(
                counting["zones"], totals["zones"], of_zone, present, strict=True
            )
        ],
    }


def _line(totals: Mapping[str, Any], crossings: Iterable[Crossing]) -> dict[str, Any]:
    return {
        "name": totals["name"],
        "in": totals["in"],
        "out": totals["out"],
        "byLabel": [{"label": label, "in": i, "out": o} for label, (i, o) in totals["by_label"].items()],
        "crossings": [
            {
                "timestampSeconds": crossing.timestamp_seconds,
                "trackId": crossing.track_id,
                "label": crossing.label,
                "direction": "IN" if crossing.is_in else "OUT",
            }
            for crossing in sorted(crossings, key=lambda one: (one.timestamp_seconds, one.track_id))
        ],
    }


def _zone(totals: Mapping[str, Any], visits: Iterable[Visit], present: int) -> dict[str, Any]:
    ordered = sorted(visits, key=lambda one: (one.entered_seconds, one.track_id))
    occupancy = occupancy_over_time(ordered, present)
    return {
        "name": totals["name"],
        "entries": totals["entries"],
        "exits": totals["exits"],
        "meanDwellSeconds": totals["mean_dwell_seconds"],
        "maxOccupancy": max((count for _, count in occupancy), default=0),
        "byLabel": [
            {"label": label, "entries": came, "exits": went}
            for label, (_, came, went) in totals["by_label"].items()
        ],
        "visits": [
            {
                "trackId": visit.track_id,
                "label": visit.label,
                "enteredSeconds": visit.entered_seconds,
                "leftSeconds": visit.left_seconds,
                "dwellSeconds": round(visit.left_seconds - visit.entered_seconds, SECONDS_DIGITS),
                "wentOut": visit.went_out,
            }
            for visit in ordered
        ],
        "occupancy": [{"timestampSeconds": seconds, "count": count} for seconds, count in occupancy],
    }


def occupancy_over_time(visits: Sequence[Visit], present: int = 0) -> list[tuple[float, int]]:
    """Each change of how many are there: when, and how many from then on.

    Of those who did not go out, the `present` that are seen last are still there at the end.
    """
    ends = sorted(visit.left_seconds for visit in visits if not visit.went_out)
    leaves = [visit.left_seconds for visit in visits if visit.went_out]
    leaves += ends[: max(len(ends) - present, 0)]
    changes = sorted(
        [*((visit.entered_seconds, 1) for visit in visits), *((seconds, -1) for seconds in leaves)]
    )
    count = 0
    found: list[tuple[float, int]] = []
    for seconds, group in groupby(changes, key=lambda change: change[0]):
        before = count
        count += sum(step for _, step in group)
        if count != before:
            found.append((seconds, count))
    return found
