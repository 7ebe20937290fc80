"""Comparing two runs where it keeps nobody waiting: NumPy and Arrow hold other threads up."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tasks.process.protocol import Message
from tasks.process.report import Report
from tasks.results.comparison import Comparer
from tasks.results.table import SegmentTable

_comparer = Comparer()


def begin(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Begin a comparison, and forget the last one; answers which run to go on with."""
    global _comparer  # a process answers one request at a time
    _comparer = Comparer()
    return _go_on()


def add(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Take the next table of a run, in Parquet, or its end; answers which run to go on with."""
    _comparer.add(values["run"], SegmentTable.from_parquet(blobs[0]) if blobs else None)
    return _go_on()


def result(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """What came out, with at most so many tracks of each kind."""
    found, most = _comparer.result(), values["most_tracks"]
    listed = replace(
        found,
        tracks=found.tracks[:most],
        lost_track_ids=found.lost_track_ids[:most],
        new_track_ids=found.new_track_ids[:most],
    )
    return Message("result", asdict(listed))


def _go_on() -> Message:
    return Message("result", {"behind": _comparer.behind()})
