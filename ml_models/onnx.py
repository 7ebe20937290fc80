"""ONNX Runtime sessions as an analysis process wants them."""

from pathlib import Path
from typing import Any

import cv2
import onnxruntime as ort

from ml_models.compute import Compute, Device
from ml_models.errors import DeviceUnavailableError

_CPU = "CPUExecutionProvider"
_PROVIDERS: dict[Device, tuple[str, dict[str, Any]]] = {
    # Full precision, and the same algorithms each time: the same frame gives the same bytes.
    Device.CUDA: ("CUDAExecutionProvider", {"use_tf32": 0, "cudnn_conv_algo_search": "DEFAULT"}),
    # Not the neural engine, which computes in half precision.
    Device.MPS: ("CoreMLExecutionProvider", {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"}),
}
_HOW_TO_GET = {
    Device.CUDA: "pip install onnxruntime-gpu in place of onnxruntime, and NVIDIA's driver, CUDA and cuDNN, "
    "as https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html says",
    Device.MPS: "it needs a Mac with Apple silicon and the package onnxruntime from PyPI",
}


def create_session(path: Path, compute: Compute | None = None) -> ort.InferenceSession:
    """A session on one thread that does not spin: a slot is one core, and results depend on no other.

    Args:
        path: The network.
        compute: Where to compute; one thread of the CPU by default.

    Raises:
        DeviceUnavailableError: ONNX Runtime cannot use the device; only `Device.AUTO` falls back to the CPU.
    """
    compute = compute or Compute()
    options = _session_options(compute)
    if compute.device is Device.CPU and compute.bfloat16:
        from ml_models.openvino import bfloat16_session

        return bfloat16_session(path, _session_on(Device.CPU, path, options), compute)
    if compute.device is not Device.AUTO:
        return _session_on(compute.device, path, options)
    for device in _PROVIDERS:
        try:
            return _session_on(device, path, options)
        except DeviceUnavailableError:
            continue
    return _session_on(Device.CPU, path, options)


def open_session(weights_path: Path | None, compute: Compute) -> ort.InferenceSession:
    """The session of a model; OpenCV, which makes its input, uses as many threads.

    Raises:
        ValueError: There are no weights.
        DeviceUnavailableError: As `create_session`.
    """
    if weights_path is None:
        raise ValueError("it needs weights")
    cv2.setNumThreads(compute.threads)
    return create_session(weights_path, compute)


def _session_options(compute: Compute) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = compute.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _session_on(device: Device, path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    if device is Device.CPU:
        return ort.InferenceSession(str(path), options, providers=[_CPU])
    provider = _PROVIDERS[device]
    available = ort.get_available_providers()
    if provider[0] not in available:
        raise DeviceUnavailableError(
            f"the device {device.value} is asked for, but ONNX Runtime offers only {', '.join(available)}: "
            f"{_HOW_TO_GET[device]}, or set FRAMEWISE_DEVICE to cpu or auto"
        )
    session = ort.InferenceSession(str(path), options, providers=[provider, _CPU])
    if (
        session.get_providers()[0] != provider[0]
    ):  # it fell back by itself: a library or the device is missing
        raise DeviceUnavailableError(
            f"the device {device.value} is asked for, but ONNX Runtime cannot use it: {_HOW_TO_GET[device]}, "
            "or set FRAMEWISE_DEVICE to cpu or auto"
        )
    return session
