"""How long somebody is seen in a video."""

from typing import Self

import strawberry

from domain.people import presence


@strawberry.type(description="A part of a video.")
class TimeSpan:
    first_seconds: float = strawberry.field(description="When it begins.")
    last_seconds: float = strawberry.field(description="When it ends.")


@strawberry.type(description="How long somebody is seen in a video, over all analyses of it together.")
class Presence:
    seconds: float = strawberry.field(
        description="How long; what several tracks or analyses show at once counts once."
    )
    share: float | None = strawberry.field(
        description="Of the video's length, from 0 to 1; null until that is known."
    )
    spans: list[TimeSpan] = strawberry.field(description="When, in order and apart from each other.")

    @classmethod
    def of(cls, found: presence.Presence) -> Self:
        """The presence as it is shown."""
        return cls(
            seconds=found.seconds,
            share=found.share,
            spans=[TimeSpan(first_seconds=first, last_seconds=last) for first, last in found.intervals],
        )
