"""PyTorch as an analysis process wants it. Importing this module imports torch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml_models.base import Frame
from ml_models.compute import PRECISIONS, Compute, Device
from ml_models.errors import DeviceUnavailableError

_MOST_ELONGATED = 256


def choose_device(compute: Compute) -> torch.device:
    """What to compute on; the CPU gets the threads of `compute`.

    Raises:
        DeviceUnavailableError: The device is not there.
    """
    torch.set_num_threads(compute.threads)
    torch.backends.cudnn.deterministic = True
    there = {
        Device.CUDA: torch.cuda.is_available(),
        Device.MPS: torch.backends.mps.is_available(),
        Device.CPU: True,
    }
    if compute.device is Device.AUTO:
        return torch.device(next(device.value for device, is_there in there.items() if is_there))
    if not there[compute.device]:
        raise DeviceUnavailableError(f"PyTorch finds no {compute.device.value} device here")
    return torch.device(compute.device.value)


@contextmanager
def inference(device: torch.device, precision: str) -> Iterator[None]:
    """No gradients; in half precision where that is asked for."""
    half = precision != "float32"
    dtype = getattr(torch, precision)
    with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=half):
        yield


def checked_precision(precision: str, device: torch.device) -> str:
    """The precision, if the device has it.

    Raises:
        ValueError: There is no such precision, or the device does not compute in it.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"there is no precision {precision!r}: there are {', '.join(PRECISIONS)}")
    if precision == "float16" and device.type == "cpu":
        raise ValueError("CPUs do not compute in float16: take bfloat16 or float32")
    return precision


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A file that `torch.save` wrote, if it holds nothing but tensors and plain values.

    Raises:
        ValueError: It holds something else, which could run code as it is read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path.name} is not read, since it holds more than tensors ({reason}): save the model's "
            "state_dict() alone"
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{path.name} holds a {type(content).__name__}, not the state_dict() of a model")
    return dict(content)


def not_too_thin(frame: Frame) -> Frame:
    """The frame; one of extreme shape with a black border below or on the right, so that it can be scaled."""
    height, width = frame.shape[:2]
    least = -(-max(height, width) // _MOST_ELONGATED)
    if min(height, width) >= least:
        return frame
    border = ((0, max(least - height, 0)), (0, max(least - width, 0)), (0, 0))
    return np.pad(frame, border)
