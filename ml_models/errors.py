"""What can go wrong with models and weights, said to the person who chose the model."""


class MLModelError(Exception):
    """Base of every error of this package."""


class UnknownModelError(MLModelError):
    """Raised when no model has the given name."""


class UnknownOptionError(MLModelError):
    """Raised when a model is given an option that it does not have."""


class UnknownTrackerError(MLModelError):
    """Raised when no tracker has the given name."""


class TrackerStateError(MLModelError):
    """Raised when a stored state of tracking was written by another version."""


class PluginError(MLModelError):
    """Raised when a package that offers a model through an entry point cannot be used."""


class ModelFileError(PluginError):
    """Raised when a file in the models folder does not describe a model as it must."""


class ModelChangedError(MLModelError):
    """Raised when a model file says something else than it did when work on it was asked for."""


class ModelLoadError(MLModelError):
    """Raised when a model cannot be made ready to work."""


class ModelConfigError(ModelLoadError):
    """Raised when a model that somebody brings does not fit its configuration.

    Args:
        field: What of the configuration is wrong, or ``file`` for the model itself.
        problem: What is wrong with it, for the person who wrote it.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class DeviceUnavailableError(ModelLoadError):
    """Raised when a model is to compute on a device that is not there."""


class ExtraMissingError(MLModelError):
    """Raised when packages that a model needs are not installed."""


class ModelInputError(MLModelError):
    """Raised when a frame is not a BGR uint8 image, or a box or landmarks are not what they must be."""


class ModelFailedError(MLModelError):
    """Raised when a model's own code fails at work."""


class ModelOutputError(MLModelError):
    """Raised when a model returns something that is no valid result for its frames."""


class WeightsError(MLModelError):
    """Base of the errors about files of weights."""


class WeightsUnavailableError(WeightsError):
    """Raised when a model's weights are nowhere to be had."""


class WeightsCorruptError(WeightsError):
    """Raised when a file of weights is not the one that the catalogue names."""
