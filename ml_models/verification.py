"""How well an embedding model tells people apart, measured on photos of which it is known who they show."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from ml_models.base import AbstractImageAnalysisMLModel, FloatArray
from ml_models.embedder import AbstractEmbedder
from ml_models.errors import ModelInputError
from ml_models.measurements import Quality

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True)
class Verification:
    """What came out for all pairs of photos.

    Args:
        people: How many people there were.
        photos: How many photos.
        same: Similarities of the pairs that show one person, lowest first.
        different: Those of the pairs that show two, highest first.
        same_similarity: From where on the model takes two for one.
    """

    people: int
    photos: int
    same: tuple[float, ...]
    different: tuple[float, ...]
    same_similarity: float

    @property
    def accuracy(self) -> float:
        """The share of pairs that are judged rightly."""
        right = sum(value >= self.same_similarity for value in self.same)
        right += sum(value < self.same_similarity for value in self.different)
        return right / (len(self.same) + len(self.different))

    @property
    def margin(self) -> float:
        """How far the least alike pair of one person lies above the most alike pair of two."""
        return self.same[0] - self.different[0]

    def qualities(self, command: str) -> list[Quality]:
        """The figures, as they are kept."""
        data = f"{self.photos} photos of {self.people} people, {len(self.same) + len(self.different)} pairs"
        figures = {
            "ACCURACY": self.accuracy,
            "LOWEST_SAME_SIMILARITY": self.same[0],
            "HIGHEST_DIFFERENT_SIMILARITY": self.different[0],
        }
        return [Quality(metric, round(value, 3), data, command) for metric, value in figures.items()]


def verify(embedder: AbstractEmbedder, detector: AbstractImageAnalysisMLModel, folder: Path) -> Verification:
    """Compare each two photos in a folder that has a subfolder for each person.

    Of each photo the largest face counts.

    Args:
        embedder: The model to measure.
        detector: What finds the faces, with landmarks if the embedder needs them.
        folder: The folder; its subfolders hold photos.

    Raises:
        ModelInputError: A photo shows no face or cannot be read, or there are too few to compare.
    """
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    names, embeddings = [], []
    for person in people:
        for photo in sorted(path for path in person.iterdir() if path.suffix.lower() in _SUFFIXES):
            names.append(person.name)
            embeddings.append(_largest_face(embedder, detector, photo))
    pairs = list(combinations(range(len(names)), 2))
    similarities = [float(embeddings[a] @ embeddings[b]) for a, b in pairs]
    same = sorted(value for (a, b), value in zip(pairs, similarities, strict=True) if names[a] == names[b])
    different = sorted(
        value for (a, b), value in zip(pairs, similarities, strict=True) if names[a] != names[b]
    )
    if not same or not different:
        raise ModelInputError(f"{folder} needs subfolders of two people, one of them with two photos")
    threshold = embedder.spec.same_similarity
    return Verification(
        people=len(set(names)),
        photos=len(names),
        same=tuple(same),
        different=tuple(reversed(different)),
        same_similarity=1.0 if threshold is None else threshold,
    )


def _largest_face(
    embedder: AbstractEmbedder, detector: AbstractImageAnalysisMLModel, photo: Path
) -> FloatArray:
    image = cv2.imread(str(photo), cv2.IMREAD_COLOR)
    if image is None:
        raise ModelInputError(f"{photo} is no picture")
    (found,) = detector.analyze([image])  # type: ignore[list-item]
    sure = np.flatnonzero(np.asarray(found.confidence) >= detector.spec.default_confidence)
    if not len(sure):
        raise ModelInputError(f"{detector.spec.name} finds no face in {photo}")
    sizes = found.xyxy[sure, 2:] - found.xyxy[sure, :2]
    largest = sure[[int(sizes.prod(axis=1).argmax())]]
    landmarks = found.data.get("landmarks")
    points = None if landmarks is None else np.asarray(landmarks)[largest]
    embedding: FloatArray = embedder.embed(image, found.xyxy[largest], points)[0]  # type: ignore[arg-type]
    return embedding
