"""Where models compute. There is no GPU in this test: what ONNX Runtime offers is faked, what it gets is seen."""

import numpy as np
import onnxruntime
import pytest

from ml_models import onnx
from ml_models.catalog import CATALOG, find_spec
from ml_models.compute import Compute, Device
from ml_models.errors import DeviceUnavailableError, ModelLoadError
from ml_models.factory import create_embedder, create_ml_model
from ml_models.onnx import create_session

CUDA, COREML, CPU = "CUDAExecutionProvider", "CoreMLExecutionProvider", "CPUExecutionProvider"


class FakeRuntime:
    """Offers providers, and keeps what sessions are asked for; those of `broken` fall back to the CPU."""

    def __init__(self, *offered, broken=()):
        self.offered, self.broken, self.asked = [*offered, CPU], set(broken), []

    def get_available_providers(self):
        return self.offered

    def session(self, path, options, providers):
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        assert set(names) <= set(self.offered)
        self.asked.append((providers, options.intra_op_num_threads))
        used = [name for name in names if name not in self.broken]
        return type("Session", (), {"get_providers": lambda _: used})()


@pytest.fixture
def runtime(monkeypatch):
    def fake(*offered, broken=()):
        made = FakeRuntime(*offered, broken=broken)
        monkeypatch.setattr(onnx.ort, "get_available_providers", made.get_available_providers)
        monkeypatch.setattr(onnx.ort, "InferenceSession", made.session)
        return made

    return fake


def test_the_cpu_is_used_even_where_there_is_more(runtime, tmp_path):
    made = runtime(CUDA)
    create_session(tmp_path / "net.onnx")
    create_session(tmp_path / "net.onnx", Compute(Device.CPU, threads=2))
    assert made.asked == [([CPU], 1), ([CPU], 2)]


@pytest.mark.parametrize(("device", "provider"), [(Device.CUDA, CUDA), (Device.MPS, COREML)])
def test_a_device_is_used_where_it_is(runtime, tmp_path, device, provider):
    made = runtime(provider)
    session = create_session(tmp_path / "net.onnx", Compute(device))
    assert session.get_providers() == [provider, CPU]
    ((first, options), second) = made.asked[0][0]
    assert (first, second) == (provider, CPU)
    assert options.get("use_tf32", 0) == 0, "full precision"


@pytest.mark.parametrize("device", [Device.CUDA, Device.MPS])
def test_a_device_that_is_not_there_is_an_error_that_says_what_to_do(runtime, tmp_path, device):
    made = runtime()
    with pytest.raises(DeviceUnavailableError) as caught:
        create_session(tmp_path / "net.onnx", Compute(device))
    assert device.value in str(caught.value)
    assert "FRAMEWISE_DEVICE" in str(caught.value)
    assert ("onnxruntime-gpu" if device is Device.CUDA else "Apple silicon") in str(caught.value)
    assert made.asked == []


def test_a_device_whose_libraries_are_missing_is_an_error_too(runtime, tmp_path):
    runtime(CUDA, broken=[CUDA])
    with pytest.raises(DeviceUnavailableError, match=r"cannot use it: .*CUDA and cuDNN"):
        create_session(tmp_path / "net.onnx", Compute(Device.CUDA))


@pytest.mark.parametrize(
    ("offered", "broken", "used"),
    [((CUDA, COREML), (), CUDA), ((COREML,), (), COREML), ((CUDA,), (CUDA,), CPU), ((), (), CPU)],
)
def test_auto_takes_the_best_that_works(runtime, tmp_path, offered, broken, used):
    runtime(*offered, broken=broken)
    assert create_session(tmp_path / "net.onnx", Compute(Device.AUTO)).get_providers()[0] == used


def test_the_installed_runtime_computes_on_the_cpu_by_itself(weights_dir):
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime knows CUDA")
    frame = np.full((90, 160, 3), 90, np.uint8)
    create = {"weights_dir": weights_dir, "compute": Compute(Device.AUTO)}
    assert create_ml_model("yunet-2026may", **create).analyze([frame])[0].is_empty()
    model = create_ml_model("yunet-2026may", weights_dir=weights_dir, compute=Compute(Device.CUDA))
    with pytest.raises(ModelLoadError, match="the device cuda is asked for"):
        model.analyze([frame])


@pytest.mark.parametrize(
    "spec",
    [spec for spec in CATALOG if spec.weights and spec.weights.file_name.endswith(".onnx")],
    ids=lambda spec: spec.name,
)
def test_every_onnx_model_passes_the_device_on(spec, runtime, tmp_path, monkeypatch):
    """Its weights need not be here: the session is made of whatever lies at their place."""
    assert Device.CUDA in spec.devices
    monkeypatch.setattr("ml_models.factory.ensure_weights", lambda *_: tmp_path / "net.onnx")
    made = runtime(broken=[CUDA])
    create = create_embedder if spec.task.is_embedding else create_ml_model
    model = create(spec.name, weights_dir=tmp_path, compute=Compute(Device.CUDA))
    assert model.compute.device is Device.CUDA
    with pytest.raises(DeviceUnavailableError):
        model._load()
    assert made.asked == []


def test_a_model_that_knows_only_the_cpu_computes_there(tmp_path):
    assert find_spec("opencv-haar-face").devices == (Device.CPU,)
    for device in Device:
        model = create_ml_model("opencv-haar-face", weights_dir=tmp_path, compute=Compute(device, threads=2))
        assert model.compute == Compute(Device.CPU, threads=2)
