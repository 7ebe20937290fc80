"""Who is to be seen where and when: in clips that are made, and in real ones that somebody looked at.

Persons of real clips bear labels, not names. Faces that even an attentive viewer could not tell from others
(`is_clear` false: far out of focus, in the dark) may be found or not; but they are of other people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Face:
    """A face in a frame: corners in pixels."""

    person: str
    box: Corners
    is_clear: bool = True


@dataclass(frozen=True)
class Clip:
    """A clip and the faces of each of its frames."""

    name: str
    path: Path
    truth: tuple[tuple[Face, ...], ...]

    @property
    def people(self) -> set[str]:
        """Who is to be found in it."""
        return {face.person for faces in self.truth for face in faces if face.is_clear}


@dataclass(frozen=True)
class Stay:
    """A person in part of a real clip: within these frames the centre of the face lies in the region.

    The region moves evenly from its place at the first frame to that at the last; None: the whole picture,
    where nobody else is to be seen.
    """

    person: str
    first_frame: int
    last_frame: int
    region: Corners | None = None
    moves_to: Corners | None = None
    is_clear: bool = True

    def at(self, index: int, whole: Corners) -> Face | None:
        """The face in that frame; None when it is another part of the clip."""
        if not self.first_frame <= index <= self.last_frame:
            return None
        start = self.region or whole
        end = self.moves_to or start
        share = (index - self.first_frame) / max(self.last_frame - self.first_frame, 1)
        x1, y1, x2, y2 = (a + (b - a) * share for a, b in zip(start, end, strict=True))
        return Face(self.person, (x1, y1, x2, y2), self.is_clear)


HAMILTON = (
    # A hall: a singer on the stage, a pianist far to the left.
    Stay("singer", 0, 19, (470, 20, 600, 130)),
    Stay("pianist", 0, 19, (30, 160, 110, 240)),
    # The pianist from nearby and from the side, moving in and out; behind him a dark audience out of focus.
    Stay("pianist", 20, 30, (370, 0, 640, 360), (290, 60, 640, 360)),
    Stay("pianist", 31, 46, (290, 60, 640, 360), (400, 60, 640, 360)),
    Stay("pianist", 47, 53, (440, 0, 640, 360), (530, 0, 640, 300)),
    Stay("pianist", 54, 67, (590, 0, 640, 300)),
    Stay("pianist", 68, 81, (460, 10, 640, 360), (435, 120, 640, 360)),
    Stay("guest in the dark 1", 20, 47, (110, 40, 210, 150), (160, 40, 260, 160), is_clear=False),
    Stay("guest in the dark 1", 48, 81, (165, 50, 265, 180), (150, 50, 250, 180), is_clear=False),
    Stay("guest in the dark 2", 20, 47, (255, 60, 340, 150), (305, 60, 400, 160), is_clear=False),
    Stay("guest in the dark 2", 48, 81, (305, 60, 410, 190), (290, 60, 390, 190), is_clear=False),
    Stay("guest in the dark 3", 42, 81, (370, 150, 475, 270), is_clear=False),
    Stay("guest in the dark 4", 47, 73, (430, 105, 530, 265), (420, 115, 505, 265), is_clear=False),
    # The singer alone.
    Stay("singer", 82, 210),
    # The audience from the side.
    Stay("guest 1", 211, 274, (30, 50, 120, 150)),
    Stay("guest 2", 211, 274, (155, 70, 245, 190)),
    Stay("guest 3", 211, 274, (310, 30, 395, 155)),
    Stay("guest 4", 211, 274, (370, 70, 465, 195)),
    Stay("guest behind 5", 211, 274, (575, 45, 640, 135), is_clear=False),
    Stay("guest behind 6", 211, 274, (15, 0, 150, 100), is_clear=False),
    Stay("guest behind 7", 211, 274, (235, 0, 335, 90), is_clear=False),
)
"""short_hamilton_clip.mp4: four shots."""

SIGNERS = {
    "book": "signer 1",
    "eat": "signer 2",
    "help": "signer 3",
    "milk": "signer 4",
    "night": "signer 2",
    "please": "signer 4",
    "school": "signer 1",
    "walk": "signer 1",
}
"""Who signs the word in gestures/WORD.mkv, alone: told apart by face, hair and clothes."""


def hamilton_clip(media_dir: Path) -> Clip:
    """The clip with its truth."""
    return _looked_at(media_dir / "short_hamilton_clip.mp4", HAMILTON)


def gesture_clips(media_dir: Path, words: Sequence[str] = tuple(SIGNERS)) -> list[Clip]:
    """Clips of people who sign a word."""
    return [
        _looked_at(media_dir / "gestures" / f"{word}.mkv", (Stay(SIGNERS[word], 0, 10**6),)) for word in words
    ]


def _looked_at(path: Path, stays: Sequence[Stay]) -> Clip:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        whole = 0.0, 0.0, float(stream.width), float(stream.height)
        count = sum(1 for _ in container.decode(stream))
    frames = ([stay.at(index, whole) for stay in stays] for index in range(count))
    return Clip(path.stem, path, tuple(tuple(face for face in faces if face) for faces in frames))
