"""What lines and zones have counted."""

from collections.abc import Iterable

import strawberry

from domain.analyses import counted


@strawberry.type(description="Crossings of a line by things of one label.")
class LineLabelCount:
    label: str = strawberry.field(description="The label.")
    in_: int = strawberry.field(name="in", description="From the line's left to its right.")
    out: int = strawberry.field(description="From its right to its left.")


@strawberry.type(
    description="Crossings of a line so far, left and right being seen from its start to its end."
)
class LineCount:
    name: str = strawberry.field(description="The name of the line.")
    in_: int = strawberry.field(name="in", description="Crossings from the line's left to its right.")
    out: int = strawberry.field(description="Crossings from its right to its left.")
    by_label: list[LineLabelCount] = strawberry.field(description="The same by label.")


@strawberry.type(description="Things of one label in a zone.")
class ZoneLabelCount:
    label: str = strawberry.field(description="The label.")
    occupancy: int = strawberry.field(description="How many are in it.")
    entries: int = strawberry.field(description="How often one came in, or was first seen inside.")
    exits: int = strawberry.field(description="How often one went out.")


@strawberry.type(
    description="Who is in a zone, at the end of the part that is tracked, and who came and went."
)
class ZoneCount:
    name: str = strawberry.field(description="The name of the zone.")
    occupancy: int = strawberry.field(description="How many are in it.")
    entries: int = strawberry.field(description="How often one came in, or was first seen inside.")
    exits: int = strawberry.field(
        description="How often one went out; those that were last seen inside did not."
    )
    mean_dwell_seconds: float | None = strawberry.field(
        description="How long a stay took in the mean, those that go on as far as they are seen; null: none."
    )
    by_label: list[ZoneLabelCount] = strawberry.field(description="The same by label.")


def shown_line_counts(counts: Iterable[counted.LineCount]) -> list[LineCount]:
    """As the API has them."""
    return [
        LineCount(
            name=count.name,
            in_=count.came_in,
            out=count.went_out,
            by_label=[
                LineLabelCount(label=one.label, in_=one.came_in, out=one.went_out) for one in count.by_label
            ],
        )
        for count in counts
    ]


def shown_zone_counts(counts: Iterable[counted.ZoneCount]) -> list[ZoneCount]:
    """As the API has them."""
    return [
        ZoneCount(
            name=count.name,
            occupancy=count.occupancy,
            entries=count.entries,
            exits=count.exits,
            mean_dwell_seconds=count.mean_dwell_seconds,
            by_label=[
                ZoneLabelCount(label=one.label, occupancy=one.occupancy, entries=one.entries, exits=one.exits)
                for one in count.by_label
            ],
        )
        for count in counts
    ]
