"""Where models compute, and with how many threads."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum


class Device(Enum):
    """What a model computes on."""

    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"
    AUTO = "auto"
    """The best of those that are there."""


PRECISIONS = ("float32", "float16", "bfloat16")
"""What networks of PyTorch may compute in; not every device has all."""


@dataclass(frozen=True)
class Compute:
    """How a model is to compute.

    Args:
        device: What it computes on.
        threads: How many threads the CPU gives it. An analysis process has one: a slot is one core.
        bfloat16: Whether ONNX networks may compute in bfloat16 on a CPU that is faster so.
    """

    device: Device = Device.CPU
    threads: int = 1
    bfloat16: bool = False

    def restricted_to(self, devices: Collection[Device]) -> "Compute":
        """The same for a model that knows these devices only: the CPU in place of one it does not know."""
        if self.device in devices or (self.device is Device.AUTO and len(devices) > 1):
            return self
        return replace(self, device=Device.CPU)
