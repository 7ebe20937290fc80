"""Which model describes the faces of this installation, and whether any does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from domain.analyses.settings import FACE_LABEL
from domain.errors import InvalidError, ModelUnavailableError
from ml_models.catalog import MLModelSpec, all_specs
from ml_models.errors import MLModelError, UnknownModelError
from ml_models.factory import default_face_embedder, find_face_embedder
from settings import Settings


@dataclass(frozen=True)
class FaceMatching:
    """What the settings say of it.

    Args:
        is_on: Whether faces may become people.
        embedding_model: What describes them; empty: what is there.
    """

    is_on: bool = True
    embedding_model: str = ""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(settings.face_matching, settings.face_embedding_model)

    def check(self, detector: MLModelSpec, default_embedder: MLModelSpec, path: Sequence[str]) -> None:
        """Check that the faces which a model finds can become people.

        Args:
            detector: The model.
            default_embedder: What describes faces if the settings name nothing.
            path: Of the settings that name it.

        Raises:
            InvalidError: Face matching is off, or the model finds no faces, or not as it must.
            ModelUnavailableError: What describes faces cannot be used.
        """
        if not self.is_on:
            raise InvalidError(
                "Face matching is switched off on this server: leave out createPeople "
                "(setting FRAMEWISE_FACE_MATCHING).",
                path=(*path, "create_people"),
            )
        try:
            embedder = _named(self.embedding_model) if self.embedding_model else default_embedder
        except MLModelError as error:
            raise ModelUnavailableError(
                f"Faces cannot be described: {error}.", path=(*path, "create_people")
            ) from error
        if not _suits(detector, embedder):
            suitable = ", ".join(spec.name for spec in all_specs().values() if _suits(spec, embedder))
            what = "faces and their landmarks" if embedder.needs_landmarks else "faces"
            raise InvalidError(
                f"createPeople needs a model that finds {what}, which {detector.name} does not: "
                f"choose one of {suitable}.",
                path=(*path, "ml_model"),
            )


def face_embedding_model(settings: Settings, used_before: str | None = None) -> MLModelSpec:
    """The model that the settings name, else the one in use, else what is there.

    Args:
        settings: Of this installation.
        used_before: What a piece of work that goes on has used: faces are compared within one model only.

    Raises:
        MLModelError: No model of that name describes faces, or it is not installed.
    """
    if settings.face_embedding_model:
        return _named(settings.face_embedding_model)
    if used_before:
        return find_face_embedder(used_before)
    return default_face_embedder(settings.resolved_weights_dir(), settings.resolved_weights_mirror())


def _named(name: str) -> MLModelSpec:
    """The model that the settings name."""
    try:
        return find_face_embedder(name)
    except UnknownModelError as error:
        raise UnknownModelError(f"{error} (setting FRAMEWISE_FACE_EMBEDDING_MODEL)") from error


def _suits(detector: MLModelSpec, embedder: MLModelSpec) -> bool:
    finds_faces = detector.task.is_detection and FACE_LABEL in detector.labels
    return finds_faces and (detector.gives_landmarks or not embedder.needs_landmarks)
