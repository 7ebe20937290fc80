"""What was counted, with every crossing and visit: the entry `counting` of results."""

from collections.abc import Iterable, Mapping
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
) -> dict[str, Any]:
    """Count once more from the first frame, and keep what happened; the counts are those of the tracking.

    Args:
        tables: After threshold, label filter and tracker, in order.
        counting: `domain.analyses.options.Counting` as it is stored.
        width: Of the frames that boxes are in.
        height: Likewise.
        last_seconds: When each track is seen last.
    """
    crossings: list[Crossing] = []
    visits: list[Visit] = []
    counter = TrackCounter(counting, width, height, crossings.append, visits.append)
    for table in tables:
        count_table(counter, table)
        if len(table.timestamp_seconds):
            now = float(table.timestamp_seconds[-1])
            counter.keep(lambda track_id, now=now: last_seconds[track_id] > now)  # type: ignore[misc]
    counter.keep(lambda track_id: False)
    totals = counter.totals()
    of_line: list[list[Crossing]] = [[] for _ in totals["lines"]]
    for crossing in crossings:
        of_line[crossing.line].append(crossing)
    of_zone: list[list[Visit]] = [[] for _ in totals["zones"]]
    for visit in visits:
        of_zone[visit.zone].append(visit)
    return {
        "lines": [
            {**shape, **_line(line, found)}
            for shape, line, found in zip(counting["lines"], totals["lines"], of_line, strict=True)
        ],
        "zones": [
            {**shape, **_zone(zone, found)}
            for shape, zone, found in zip(counting["zones"], totals["zones"], of_zone, strict=True)
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


def _zone(totals: Mapping[str, Any], visits: Iterable[Visit]) -> dict[str, Any]:
    ordered = sorted(visits, key=lambda one: (one.entered_seconds, one.track_id))
    occupancy = occupancy_over_time(ordered)
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


def occupancy_over_time(visits: Iterable[Visit]) -> list[tuple[float, int]]:
    """Each change of how many are there: when, and how many from then on."""
    changes = sorted(
        change for visit in visits for change in ((visit.entered_seconds, 1), (visit.left_seconds, -1))
    )
    count = 0
    found: list[tuple[float, int]] = []
    for seconds, group in groupby(changes, key=lambda change: change[0]):
        before = count
        count += sum(step for _, step in group)
        if count != before:
            found.append((seconds, count))
    return found
