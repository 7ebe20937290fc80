"""Networks in bfloat16, and what becomes of them where that cannot be."""

import cv2
import pytest

from ml_models import openvino as module
from ml_models.compute import Compute
from ml_models.factory import create_ml_model
from ml_models.openvino import BFloat16Session, why_not_bfloat16

MODEL = "yunet-2026may"


@pytest.fixture
def frames(media_dir):
    return [cv2.imread(str(media_dir / name)) for name in ("two_people.jpg", "obama-720p.jpg")]


def model(weights_dir, *, bfloat16):
    return create_ml_model(MODEL, weights_dir=weights_dir, compute=Compute(bfloat16=bfloat16))


@pytest.fixture
def session(weights_dir, frames):
    reason = why_not_bfloat16()
    if reason is not None:
        pytest.skip(reason)
    reduced = model(weights_dir, bfloat16=True)
    reduced.analyze(frames[:1])
    assert isinstance(reduced._session, BFloat16Session)
    return reduced


def test_faces_are_nearly_the_same_and_always_the_same(session, weights_dir, frames):
    full = model(weights_dir, bfloat16=False).analyze(frames)
    reduced = session.analyze(frames)
    for exact, near in zip(full, reduced, strict=True):
        sure = exact[exact.confidence > 0.6]
        assert len(sure) >= 1
        assert near.xyxy[: len(sure)] == pytest.approx(sure.xyxy, abs=4)
        assert near.confidence[: len(sure)] == pytest.approx(sure.confidence, abs=0.03)
    assert any(
        (a.xyxy.shape != b.xyxy.shape) or (a.xyxy != b.xyxy).any() for a, b in zip(full, reduced, strict=True)
    )
    for first, again in zip(reduced, session.analyze(frames), strict=True):
        assert first.xyxy.tobytes() == again.xyxy.tobytes()
        assert first.confidence.tobytes() == again.confidence.tobytes()


def test_what_openvino_cannot_is_computed_in_full_precision_and_said(
    session, weights_dir, frames, monkeypatch, caplog
):
    def fail(*_):
        raise RuntimeError("there is no such operation")

    reduced = model(weights_dir, bfloat16=True)
    monkeypatch.setattr(BFloat16Session, "_compiled", fail)
    full = model(weights_dir, bfloat16=False)
    for near, exact in zip(reduced.analyze(frames), full.analyze(frames), strict=True):
        assert near.xyxy.tobytes() == exact.xyxy.tobytes()
    assert [record.getMessage() for record in caplog.records] == [
        "face_detection_yunet_2026may.onnx is computed by ONNX Runtime in full precision: OpenVINO cannot: "
        "there is no such operation"
    ]


def test_a_machine_that_does_not_compute_so_says_why(weights_dir, frames, monkeypatch, caplog):
    monkeypatch.setattr(module, "why_not_bfloat16", lambda: "the CPU is too old")
    reduced, full = model(weights_dir, bfloat16=True), model(weights_dir, bfloat16=False)
    for near, exact in zip(reduced.analyze(frames), full.analyze(frames), strict=True):
        assert near.xyxy.tobytes() == exact.xyxy.tobytes()
    assert "full precision: the CPU is too old" in caplog.text


@pytest.mark.parametrize(
    ("flags", "is_able"),
    [("fpu avx512f avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx2 avx512f", False), ("", False)],
)
def test_the_cpu_is_asked_by_its_flags(tmp_path, monkeypatch, flags, is_able):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t:\n")
    monkeypatch.setattr(module, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.setattr(type(module.EXTRAS["openvino"]), "is_installed", lambda _: True)
    why_not_bfloat16.cache_clear()
    try:
        reason = why_not_bfloat16()
    finally:
        why_not_bfloat16.cache_clear()
    assert (reason is None) is is_able
    if not is_able:
        assert "AVX512_BF16" in reason


def test_only_models_that_keep_their_quality_use_it():
    from ml_models.catalog import all_specs

    assert {spec.name for spec in all_specs().values() if spec.keeps_quality_in_bfloat16} == {
        "yunet-2026may",
        "yunet-2023mar",
        "nanodet-m-416",
    }
