"""Networks in bfloat16 on CPUs that compute it, by OpenVINO (the extra `openvino`)."""

import logging
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_models.compute import Compute
from ml_models.extras import EXTRAS

log = logging.getLogger(__name__)

_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""What Linux calls the instructions; without them bfloat16 is emulated, and slower."""
_CPU_INFO = Path("/proc/cpuinfo")
_MOST_SHAPES = 4
"""A network is compiled for the shape of its inputs; so many are kept."""


@lru_cache(maxsize=1)
def why_not_bfloat16() -> str | None:
    """Why this machine does not compute in bfloat16; None if it does. Imports nothing heavy."""
    if not EXTRAS["openvino"].is_installed():
        return f"OpenVINO is not installed: {EXTRAS['openvino'].how_to_install}"
    if sys.platform != "linux":
        return "whether the CPU computes in bfloat16 is known on Linux only"
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        return "the capabilities of the CPU cannot be read"
    flags = next((line for line in lines if line.startswith("flags")), "")
    return None if _FLAGS & set(flags.split()) else "the CPU has neither AVX512_BF16 nor AMX"


class BFloat16Session:
    """An ONNX Runtime session whose networks are computed by OpenVINO in bfloat16.

    What the network takes and gives is told by ONNX Runtime, which also computes it where OpenVINO cannot.

    Args:
        path: The network.
        session: The same in ONNX Runtime.
        compute: How many threads.
    """

    def __init__(self, path: Path, session: Any, compute: Compute) -> None:
        import openvino

        self._session = session
        self._path = path
        self._threads = compute.threads
        self._core = openvino.Core()
        self._requests: dict[tuple[tuple[int, ...], ...], Any] = {}
        self._is_usable = True
        self.get_inputs = session.get_inputs
        self.get_outputs = session.get_outputs

    def run(
        self, names: Sequence[str] | None, inputs: Mapping[str, NDArray[Any]]
    ) -> list[NDArray[np.float32]]:
        """The outputs of these names, all for None, as `InferenceSession.run`."""
        if self._is_usable:
            try:
                return self._run(names or [output.name for output in self.get_outputs()], inputs)
            except Exception as error:  # whatever OpenVINO does not know of a network
                log.warning(
                    "%s is computed by ONNX Runtime in full precision: OpenVINO cannot: %s",
                    self._path.name,
                    (str(error).strip() or type(error).__name__).splitlines()[-1],
                )
                self._is_usable = False
        outputs: list[NDArray[np.float32]] = self._session.run(names, dict(inputs))
        return outputs

    def _run(self, names: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        shapes = tuple(array.shape for array in inputs.values())
        request = self._requests.get(shapes) or self._compiled(shapes, inputs)
        request.infer(dict(inputs), share_inputs=True)
        return [np.array(request.get_tensor(name).data) for name in names]

    def _compiled(self, shapes: tuple[tuple[int, ...], ...], inputs: Mapping[str, NDArray[Any]]) -> Any:
        import openvino
        from openvino import properties

        network = self._core.read_model(self._path)
        network.reshape({name: list(array.shape) for name, array in inputs.items()})
        compiled = self._core.compile_model(
            network,
            "CPU",
            {
                properties.hint.inference_precision(): openvino.Type.bf16,
                properties.hint.performance_mode(): properties.hint.PerformanceMode.LATENCY,
                properties.inference_num_threads(): self._threads,
                properties.num_streams(): 1,
            },
        )
        while len(self._requests) >= _MOST_SHAPES:
            del self._requests[next(iter(self._requests))]
        request = self._requests[shapes] = compiled.create_infer_request()
        return request


def bfloat16_session(path: Path, session: Any, compute: Compute) -> Any:
    """`session` as a `BFloat16Session` if this machine computes in bfloat16, else itself."""
    reason = why_not_bfloat16()
    if reason is not None:
        log.warning("%s is computed in full precision: %s", path.name, reason)
        return session
    return BFloat16Session(path, session, compute)
