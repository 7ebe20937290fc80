"""Embedding models kept loaded between requests."""

from pathlib import Path
from typing import Any

from ml_models.base import FloatArray, Frame
from ml_models.catalog import MLModelSpec
from ml_models.embedder import AbstractEmbedder
from ml_models.factory import create_embedder
from tasks.process.models import requested_compute
from tasks.process.report import Report


class LoadedEmbedder:
    """An embedding model of this process; a stop waits while it loads, at its first face."""

    def __init__(self, embedder: AbstractEmbedder) -> None:
        self._embedder = embedder
        self._is_ready = False

    @property
    def spec(self) -> MLModelSpec:
        """What the catalogue says of it."""
        return self._embedder.spec

    def embed(
        self, frame: Frame, box: FloatArray, landmarks: FloatArray | None, report: Report
    ) -> FloatArray:
        """Describe one face of a frame: float32 (d,) of length 1."""
        points = None if landmarks is None else landmarks[None]
        if self._is_ready:
            return self._embedder.embed(frame, box[None], points)[0]  # type: ignore[no-any-return]
        with report.indivisible():
            embedding = self._embedder.embed(frame, box[None], points)[0]
            self._is_ready = True
        return embedding  # type: ignore[no-any-return]


_loaded: dict[str, LoadedEmbedder] = {}
"""At most one."""


def loaded_embedder(values: dict[str, Any], report: Report) -> LoadedEmbedder:
    """The embedding model that a request names in `ml_model`, loaded already if it was used last.

    The request also holds `weights_dir`, `weights_mirror` and `device`.
    """
    name: str = values["ml_model"]
    with report.indivisible():
        embedder = _loaded.pop(name, None) or LoadedEmbedder(
            create_embedder(
                name,
                weights_dir=Path(values["weights_dir"]),
                mirror=values["weights_mirror"],
                compute=requested_compute(values),
            )
        )
        _loaded.clear()
        _loaded[name] = embedder
    return embedder
