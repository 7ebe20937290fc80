"""Looking at the candidates of face tracks: from frames to an embedding and a picture of each track."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from media.frames import Frame
from ml_models.base import FloatArray
from ml_models.face_chips import FaceChip, cut_chip
from ml_models.face_quality import LEAST_QUALITY, face_quality
from tasks.faces.tracks import Candidate, FaceTrack

EMBEDDED_PER_TRACK = 16
"""Faces of a track that has ended that are embedded, at most. The more there are, the more alike are
the means of two tracks of one person, but not those of two people: with 5, a singer near and far is no more
like himself (0.46) than two people are; with 16 he is (0.57)."""
SPREAD_FACES = 4, 7
"""So many of them, spread over the time of the track, are embedded first, then so many. If they agree well
the others would hardly change anything."""
ENOUGH_RELIABILITY = 0.96
"""Of the mean of those embedded, by Spearman and Brown: that of 4 faces which are 0.86 like each other,
and of 7 which are 0.77."""
EMBEDDED_AT_FIRST = 2
"""Likewise while it goes on."""
LEAST_SECONDS = 0.2
"""What is seen for less time is nobody: a hand, or a second box of the same face."""
TRACKS_AT_ONCE = 16
"""So many tracks are looked at in one go through the video: their chips are in memory together."""


@dataclass(frozen=True, eq=False)
class LookedAt:
    """What a track looks like.

    Args:
        track: The track.
        is_final: Whether it has ended.
        embedding: float32 (d,), of length 1.
        quality: Of the best of the faces it is made of.
        best: That face.
    """

    track: FaceTrack
    is_final: bool
    embedding: FloatArray
    quality: float
    best: FaceChip


@dataclass(eq=False)
class Look:
    """Faces of one track that are to be looked at."""

    track: FaceTrack
    is_final: bool
    candidates: Sequence[Candidate]
    chips: list[tuple[float, int, FaceChip]] = field(default_factory=list)
    """Quality, minus frame index, and chip of the best so far, the best first."""

    def take(self, candidate: Candidate, chip: FaceChip | None) -> None:
        """A candidate was decoded."""
        candidate.quality = 0.0 if chip is None else face_quality(chip.image, chip.box, chip.landmarks)
        if chip is None or candidate.quality < LEAST_QUALITY:
            return
        self.chips.append((candidate.quality, candidate.minus_frame_index, chip))
        self.chips.sort(key=lambda kept: kept[:2], reverse=True)
        del self.chips[EMBEDDED_PER_TRACK if self.is_final else EMBEDDED_AT_FIRST :]


def look_due(track: FaceTrack, *, is_final: bool) -> Look | None:
    """What to look at of a track that segments at hand have ended or gone on with; None if nothing.

    One that goes on is looked at when it is new, and again when it has become twice as long.
    """
    if track.length_seconds < LEAST_SECONDS:
        return None
    wanted = [one for one in track.candidates if one.quality is None or one.quality >= LEAST_QUALITY]
    if not is_final:
        is_new = track.shown_seconds is None or track.length_seconds >= 2 * max(track.shown_seconds, 1.0)
        wanted = wanted[:EMBEDDED_AT_FIRST] if is_new else []
    return Look(track, is_final, wanted) if wanted else None


def look_at_tracks(
    looks: Iterable[Look],
    frames: Callable[[Sequence[int]], Iterator[Frame]],
    embed: Callable[[FaceChip], FloatArray],
    like_similarity: float,
) -> Iterator[LookedAt]:
    """Decode and embed; tracks without any face good enough are left out.

    Args:
        looks: Which faces.
        frames: Gives the frames with these indices, in order.
        embed: Describes the face of a chip: (d,), of length 1.
        like_similarity: The cosine from which on two faces may be of one person.
    """
    waiting = sorted(
        looks, key=lambda look: (min(one.frame_index for one in look.candidates), look.track.track_id)
    )
    for start in range(0, len(waiting), TRACKS_AT_ONCE):
        batch = waiting[start : start + TRACKS_AT_ONCE]
        _cut_chips(batch, frames)
        for look in batch:
            if look.chips:
                yield _looked_at(look, embed, like_similarity)
                look.chips.clear()


def _cut_chips(looks: Sequence[Look], frames: Callable[[Sequence[int]], Iterator[Frame]]) -> None:
    by_frame: dict[int, list[tuple[Look, Candidate]]] = {}
    for look in looks:
        for candidate in look.candidates:
            by_frame.setdefault(candidate.frame_index, []).append((look, candidate))
    for frame in frames(sorted(by_frame)):
        for look, candidate in by_frame[frame.index]:
            landmarks = candidate.landmarks
            points = None if landmarks is None else np.array(landmarks).reshape(-1, 2)
            look.take(candidate, cut_chip(frame.image, np.array(candidate.box), points))


def _looked_at(look: Look, embed: Callable[[FaceChip], FloatArray], like_similarity: float) -> LookedAt:
    known: dict[int, FloatArray] = {}
    for count in (*SPREAD_FACES, len(look.chips)):
        rows = sorted({*known, *_spread_rows(look, count)})
        known |= {row: embed(look.chips[row][2]) for row in rows if row not in known}
        embeddings = np.stack([known[row] for row in rows])
        if reliability(embeddings) >= ENOUGH_RELIABILITY:
            break
    kept = agreeing(embeddings, like_similarity)
    mean = embeddings[kept].astype(np.float64).mean(axis=0)
    embedding: FloatArray = (mean / np.linalg.norm(mean)).astype(np.float32)
    quality, _, best = look.chips[rows[kept[0]]]
    return LookedAt(look.track, look.is_final, embedding, quality, best)


def _spread_rows(look: Look, count: int) -> list[int]:
    """Of the chips, the best one and `count` at even steps from the first to the last in time."""
    by_time = sorted(range(len(look.chips)), key=lambda row: -look.chips[row][1])
    steps = np.linspace(0, len(by_time) - 1, min(count, len(by_time))).round().astype(int)
    return sorted({0} | {by_time[step] for step in steps.tolist()})


def reliability(embeddings: FloatArray) -> float:
    """How alike the mean of n embeddings (n, d) is to that of n others of the same kind: at most 1.

    The formula of Spearman and Brown (1910), from the mean cosine between two of them.
    """
    count = len(embeddings)
    if count < 2:
        return 0.0
    cosine = float((embeddings @ embeddings.T).sum() - count) / (count * (count - 1))
    return count * cosine / (1 + (count - 1) * cosine) if cosine > 0 else 0.0


def agreeing(embeddings: FloatArray, like_similarity: float) -> list[int]:
    """Those of n embeddings (n, d) that are of one person: a track may have gone over to another one.

    They are those similar to the one that most are similar to; of several, the first.
    """
    similar: NDArray[np.bool_] = embeddings @ embeddings.T >= like_similarity
    np.fill_diagonal(similar, val=True)
    chosen = int(similar.sum(axis=1).argmax())
    return np.flatnonzero(similar[chosen]).tolist()
