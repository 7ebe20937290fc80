"""Looking at some frames and filling in those between them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import supervision as sv

from ml_models.looking.partners import between, partners

Picture = TypeVar("Picture")

MOST_STEPS = 8
"""Pictures from one look to the next, at most."""
SURE_SHARE = 0.8
"""A detection is sure from this share of the model's default threshold on."""


@dataclass(frozen=True, eq=False)
class _Look(Generic[Picture]):
    place: int
    picture: Picture
    detections: sv.Detections


@dataclass(frozen=True, eq=False)
class Decided(Generic[Picture]):
    """A picture and what is in it; `is_looked_at` says whether the model saw it."""

    picture: Picture
    detections: sv.Detections
    is_looked_at: bool


class LooksBetween(Generic[Picture]):
    """Chooses the pictures that a model looks at, and interpolates in the others.

    A look is taken every k pictures; k is 1 at first. Where two looks in a row agree (see `partners`), what
    lies between them is interpolated, and k doubles up to `most_steps`. Where they do not, the picture in
    the middle is looked at, and so on in each half, until the looks agree or nothing is left between; and k
    halves. A detection that is not sure and has no partner counts in its own picture only.

    What is lost: things that come and go between two looks that agree, and motion within that time that is
    not even.

    Args:
        look: Detects in a picture.
        sure_confidence: From where on a detection is sure.
        most_steps: The most pictures from one look to the next; so many are held.
    """

    def __init__(
        self,
        look: Callable[[Picture], sv.Detections],
        sure_confidence: float,
        most_steps: int = MOST_STEPS,
    ) -> None:
        self._look = look
        self._sure_confidence = sure_confidence
        self._most_steps = most_steps
        self._steps = 1
        self._place = 0
        self._last: _Look[Picture] | None = None
        self._waiting: list[tuple[int, Picture]] = []

    def add(self, picture: Picture) -> Iterator[Decided[Picture]]:
        """Take the next picture; gives those that are decided by it, in order."""
        self._waiting.append((self._place, picture))
        self._place += 1
        if len(self._waiting) >= self._steps:
            yield from self.finish()

    def finish(self) -> Iterator[Decided[Picture]]:
        """Decide whatever waits: nothing comes after it for now."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        last, end = self._last, self._look_at(*waiting.pop())
        if last is not None:
            agree = partners(last.detections, end.detections, self._sure_confidence) is not None
            yield from self._filled(last, waiting, end)
            self._steps = min(2 * self._steps, self._most_steps) if agree else max(1, self._steps // 2)
        self._last = end
        yield Decided(end.picture, end.detections, is_looked_at=True)

    def _look_at(self, place: int, picture: Picture) -> _Look[Picture]:
        return _Look(place, picture, self._look(picture))

    def _filled(
        self, start: _Look[Picture], waiting: list[tuple[int, Picture]], end: _Look[Picture]
    ) -> Iterator[Decided[Picture]]:
        """What lies between two looks."""
        if not waiting:
            return
        pairs = partners(start.detections, end.detections, self._sure_confidence)
        if pairs is None:
            half = len(waiting) // 2
            middle = self._look_at(*waiting[half])
            yield from self._filled(start, waiting[:half], middle)
            yield Decided(middle.picture, middle.detections, is_looked_at=True)
            yield from self._filled(middle, waiting[half + 1 :], end)
            return
        for place, picture in waiting:
            share = (place - start.place) / (end.place - start.place)
            yield Decided(
                picture, between(start.detections, end.detections, pairs, share), is_looked_at=False
            )
