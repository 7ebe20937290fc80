"""What detectors and embedding models have in common: they are told what they are, and load once."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_models.catalog import MLModelSpec, OptionValue
from ml_models.compute import Compute
from ml_models.errors import MLModelError, ModelLoadError, ModelOutputError


class LoadsOnce(ABC):
    """A model that is loaded when it is first used.

    Args:
        spec: What the catalogue says of it.
        weights_path: Its checked file of weights; None if it needs none.
        options: A value for each of `spec.options`.
        compute: The device and threads to use; one thread of the CPU by default. A device that the spec does
            not list is not used: then `self.compute` says CPU.
    """

    def __init__(
        self,
        spec: MLModelSpec,
        *,
        weights_path: Path | None = None,
        options: Mapping[str, OptionValue] | None = None,
        compute: Compute | None = None,
    ) -> None:
        self.spec = spec
        self.weights_path = weights_path
        self.options: dict[str, Any] = {**spec.options, **(options or {})}
        self.compute = (compute or Compute()).restricted_to(spec.devices)
        self._is_loaded = False
        self._lock = threading.Lock()

    @abstractmethod
    def _load(self) -> None:
        """Read weights and make ready; called once, before the first use."""

    def _ensure_loaded(self) -> None:
        if self._is_loaded:
            return
        try:
            self._load()
        except MLModelError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ModelLoadError(f"the model {self.spec.name} cannot be loaded: {reason}") from error
        self._is_loaded = True

    def _output_error(self, problem: str) -> ModelOutputError:
        return ModelOutputError(f"the model {self.spec.name} ({self.spec.implementation}) {problem}")
