"""What lines and zones of an analysis have counted so far: the figures that are asked for and pushed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.analyses.models import Analysis
from domain.analyses.options import Counting, read_options


@dataclass(frozen=True)
class LineLabelCount:
    """Crossings of things of one label."""

    label: str
    came_in: int
    went_out: int


@dataclass(frozen=True)
class LineCount:
    """Crossings of a line so far."""

    name: str
    came_in: int
    went_out: int
    by_label: tuple[LineLabelCount, ...]


@dataclass(frozen=True)
class ZoneLabelCount:
    """Things of one label in a zone."""

    label: str
    occupancy: int
    entries: int
    exits: int


@dataclass(frozen=True)
class ZoneCount:
    """Who is in a zone as far as is tracked, and who came and went."""

    name: str
    occupancy: int
    entries: int
    exits: int
    mean_dwell_seconds: float | None
    by_label: tuple[ZoneLabelCount, ...]


def line_counts(analysis: Analysis) -> tuple[LineCount, ...]:
    """Of each line of the analysis, in the order they were given."""
    counting, found = _counted(analysis, "lines")
    return tuple(_line(found.get(line.name, {"name": line.name})) for line in counting.lines)


def zone_counts(analysis: Analysis) -> tuple[ZoneCount, ...]:
    """Of each zone of the analysis, in the order they were given."""
    counting, found = _counted(analysis, "zones")
    return tuple(_zone(found.get(zone.name, {"name": zone.name})) for zone in counting.zones)


def read_line_count(values: Mapping[str, Any]) -> LineCount:
    """What `asdict` made of a `LineCount`, back again."""
    return LineCount(**{**values, "by_label": tuple(LineLabelCount(**one) for one in values["by_label"])})


def read_zone_count(values: Mapping[str, Any]) -> ZoneCount:
    """What `asdict` made of a `ZoneCount`, back again."""
    return ZoneCount(**{**values, "by_label": tuple(ZoneLabelCount(**one) for one in values["by_label"])})


def _counted(analysis: Analysis, kind: str) -> tuple[Counting, dict[str, Any]]:
    if analysis.counting is None:
        return Counting(), {}
    counted = (analysis.counted or {}).get(kind, [])
    return read_options(Counting, analysis.counting), {one["name"]: one for one in counted}


def _line(values: Mapping[str, Any]) -> LineCount:
    by_label = values.get("by_label", {})
    return LineCount(
        values["name"],
        values.get("in", 0),
        values.get("out", 0),
        tuple(LineLabelCount(label, *counts) for label, counts in by_label.items()),
    )


def _zone(values: Mapping[str, Any]) -> ZoneCount:
    by_label = values.get("by_label", {})
    return ZoneCount(
        values["name"],
        values.get("occupancy", 0),
        values.get("entries", 0),
        values.get("exits", 0),
        values.get("mean_dwell_seconds"),
        tuple(ZoneLabelCount(label, *counts) for label, counts in by_label.items()),
    )
