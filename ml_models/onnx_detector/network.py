"""The network of an ONNX file: loaded, its input checked, tried once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ml_models.compute import Compute
from ml_models.errors import DeviceUnavailableError, ModelConfigError
from ml_models.onnx import create_session
from ml_models.onnx_detector.graph import check_file

_FLOAT = "tensor(float)"
_WHOLE_NUMBERS = "tensor(int64)"
_MAX_SIDE = 4096


@dataclass(frozen=True)
class Network:
    """A network that takes one image.

    Args:
        session: ONNX Runtime's.
        image_name: The input that takes the image.
        input_size: Width and height of it.
        constants: What its other inputs get.
        outputs: What it gave for a black image, by the names of the outputs, in their order.
    """

    session: ort.InferenceSession
    image_name: str
    input_size: tuple[int, int]
    constants: Mapping[str, NDArray[np.int64]]
    outputs: Mapping[str, NDArray[Any]]

    def run(self, names: list[str], image: NDArray[np.float32]) -> list[NDArray[Any]]:
        """These outputs for an image."""
        found: list[NDArray[Any]] = self.session.run(names, {self.image_name: image, **self.constants})
        return found


def load_network(
    path: Path, layout: str, input_size: tuple[int, int] | None, compute: Compute | None = None
) -> Network:
    """Load an ONNX file, check its input, and run it once.

    Args:
        path: The file.
        layout: ``NCHW`` or ``NHWC``.
        input_size: Width and height, needed where the file leaves them open.
        compute: Where to compute.

    Raises:
        ModelConfigError: The file, or what is said of its input, is wrong.
        DeviceUnavailableError: As `create_session`.
    """
    check_file(path)
    try:
        session = create_session(path, compute)
    except DeviceUnavailableError:
        raise
    except Exception as error:
        raise ModelConfigError("file", f"ONNX Runtime cannot load it: {_short(error)}") from error
    image = _image_input(session)
    size = _input_size(image, layout, input_size)
    constants = _constants(session, image.name, size)
    width, height = size
    black = np.zeros((1, 3, height, width) if layout == "NCHW" else (1, height, width, 3), dtype=np.float32)
    names = [output.name for output in session.get_outputs()]
    try:
        outputs = session.run(names, {image.name: black, **constants})
    except Exception as error:
        raise ModelConfigError(
            "file", f"it fails with an image of {width} x {height}: {_short(error)}"
        ) from error
    return Network(session, image.name, size, constants, dict(zip(names, outputs, strict=True)))


def _image_input(session: ort.InferenceSession) -> Any:
    images = [one for one in session.get_inputs() if len(one.shape) == 4]
    if len(images) != 1:
        raise ModelConfigError(
            "file", f"must take one image, but it has {len(images)} inputs of four dimensions"
        )
    (image,) = images
    if image.type != _FLOAT:
        raise ModelConfigError(
            "file",
            f"its input {image.name!r} is {image.type}: export it so that it takes float32 "
            "(it may compute in float16 inside)",
        )
    return image


def _input_size(image: Any, layout: str, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height; whatever is no whole number in the shape is open."""
    shape = [side if isinstance(side, int) else None for side in image.shape]
    shown = tuple("any" if side is None else side for side in shape)
    batch, channels, height, width = shape if layout == "NCHW" else (shape[0], shape[3], shape[1], shape[2])
    if channels not in (3, None):
        other = "NHWC" if layout == "NCHW" else "NCHW"
        raise ModelConfigError(
            "layout", f"the input is {shown}, which is not {layout} with 3 channels; try {other}"
        )
    if batch not in (1, None):
        raise ModelConfigError("file", f"takes batches of {batch} images: export it for one")
    if wanted is None and (height is None or width is None):
        raise ModelConfigError("input_size", f"is needed, because the input is {shown}: say [width, height]")
    size = (width or 0, height or 0) if wanted is None else wanted
    for side, fixed in zip(size, (width, height), strict=True):
        if fixed not in (side, None):
            raise ModelConfigError(
                "input_size",
                f"is {size[0]} x {size[1]}, but the file takes only {width} x {height}: leave it out",
            )
    if not all(1 <= side <= _MAX_SIDE for side in size):
        raise ModelConfigError("input_size", f"is {size[0]} x {size[1]}; up to {_MAX_SIDE} are allowed")
    return size


def _constants(
    session: ort.InferenceSession, image_name: str, size: tuple[int, int]
) -> dict[str, NDArray[np.int64]]:
    """The size of the image for detectors that scale their boxes themselves; they take no other input."""
    constants = {}
    for one in session.get_inputs():
        if one.name == image_name:
            continue
        if (
            one.type != _WHOLE_NUMBERS
            or len(one.shape) != 2
            or (isinstance(one.shape[1], int) and one.shape[1] != 2)
        ):
            raise ModelConfigError(
                "file",
                f"has an input {one.name!r} of {one.type} {one.shape}: beside the image only the size of the "
                "original, int64 (1, 2), can be given",
            )
        constants[one.name] = np.array([size], dtype=np.int64)
    return constants


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}…"
