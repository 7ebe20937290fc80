"""Numbers and lists as people read them."""

from collections.abc import Sequence

from cli.operations import LabelCount, LineCount, ZoneCount

_MOST_LABELS = 4


def duration(seconds: float) -> str:
    """A length of time: `0.4 s`, `9 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def byte_count(size: float) -> str:
    """A number of bytes: `820 B`, `1.2 MB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def rate(frames_per_second: float) -> str:
    """A number of frames a second: `7.5 fps`, `120 fps`."""
    return f"{frames_per_second:.1f} fps" if frames_per_second < 10 else f"{frames_per_second:.0f} fps"


def counts(found: Sequence[LabelCount], most_labels: int = _MOST_LABELS) -> str:
    """What was found: `face 341 in 7 tracks, person 12 in 1 track, 3 more labels`."""
    parts = [_count(count) for count in found[:most_labels]]
    more = len(found) - most_labels
    if more > 0:
        parts.append(f"{more} more {plural('label', more)}")
    return ", ".join(parts)


def _count(count: LabelCount) -> str:
    text = f"{count.label} {count.detections:,}"
    return f"{text} in {count.tracks:,} {plural('track', count.tracks)}" if count.tracks else text


def people_count(number: int) -> str:
    """How many people were seen: `1 person seen`, `12 people seen`."""
    return f"{number:,} {'person' if number == 1 else 'people'} seen"


def line_count(line: LineCount) -> str:
    """What a line counted: `door: 5 in, 2 out`."""
    return f"{line.name}: {line.came_in:,} in, {line.went_out:,} out"


def zone_count(zone: ZoneCount) -> str:
    """What a zone counted: `desk: 6 came, 5 left, 1 there, 19 s each`."""
    said = f"{zone.name}: {zone.entries:,} came, {zone.exits:,} left, {zone.occupancy:,} there"
    return said if zone.mean_dwell_seconds is None else f"{said}, {zone.mean_dwell_seconds:.0f} s each"


def plural(noun: str, number: int) -> str:
    """The noun as it stands beside `number`."""
    return noun if number == 1 else f"{noun}s"
