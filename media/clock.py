"""Presentation times of decoded frames, made to ascend where a file's do not."""

JUMP_SECONDS = 1.0
"""A step back longer than this is another recording joined on, not jitter."""


class PresentationClock:
    """Gives every frame, in the order decoded, a time that is not before its predecessor's.

    Good times pass unchanged. A missing one follows its predecessor by one frame. After a jump back, as in
    joined transport streams, time goes on from where it was.

    Args:
        step: Length of a frame, in ticks.
        ticks_per_second: Of the stream's time base.
    """

    def __init__(self, step: int, ticks_per_second: float) -> None:
        self._step = step
        self._jump = int(JUMP_SECONDS * ticks_per_second)
        self._offset = 0
        self._previous: int | None = None
        self.repaired = False
        """Whether a time was made up or changed."""
        self.repeated = False
        """Whether two frames have the same time."""

    def time_of(self, pts: int | None) -> int:
        """The time of the next frame, whose own is `pts`."""
        previous = self._previous
        if pts is None:
            self.repaired = True
            time = 0 if previous is None else previous + self._step
        else:
            time = pts + self._offset
            if previous is not None and time < previous:
                self.repaired = True
                follower = previous + (self._step if time < previous - self._jump else 1)
                if time < previous - self._jump:
                    self._offset += follower - time
                time = follower
            self.repeated |= time == previous
        self._previous = time
        return time
