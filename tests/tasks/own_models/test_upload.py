"""Uploading a detector: checked in a process of its own, whatever it does there, then used like any other."""

import asyncio
import hashlib
import json
import os
import signal
from uuid import uuid4

import numpy as np
import pytest

from domain.accounts.audit import AuditEntry, AuditKind, Caller
from domain.analyses.files import ResultFormat
from domain.analyses.models import Analysis, AnalysisStatus, Tracker
from domain.analyses.service import create_analysis
from domain.errors import ConflictError, InvalidError, LimitExceededError, ModelUnavailableError
from domain.own_models.models import OwnModel
from domain.own_models.service import delete_own_model
from ml_models.errors import UnknownModelError
from tasks.analyses import RequestedSettings, complete_settings
from tasks.garbage import remove_unowned
from tasks.own_models.find import find_model, remove_unused_files, uploaded_specs
from tasks.own_models.upload import UploadedFile, upload_own_model
from tasks.process.process import AnalysisProcess
from tests.ml_models import onnx_graphs as graphs
from tests.ml_models.clips import read_frames
from tests.ml_models.test_onnx_detector import detector
from tests.tasks.harness import harness

GOOD = "name: own-bolts\nfamily: yolov8\nlabels: [bolt, nut, washer]\n"


@pytest.fixture
async def work(tmp_path):
    async with harness(tmp_path / "data", None, slots=1) as made:
        yield made


async def send(work, path, config=GOOD, **changes):
    """Upload a file; False if its bytes are still the caller's in the end."""
    data = path.read_bytes()
    key = f"uploads/{uuid4()}"
    storage = work.runtime.storage
    await storage.put(key, data)
    released = []
    settings = work.runtime.settings.model_copy(update=changes)
    file = UploadedFile(key, len(data), hashlib.sha256(data).hexdigest())
    row = await upload_own_model(
        settings, storage, work.owner, file, config, release=lambda: released.append(key), caller=Caller()
    )
    assert released == [key]
    return row


async def test_from_upload_to_result(work, tmp_path, media_dir):
    """Its result is what the model gives when it is run directly; nothing of the model is left after deletion."""
    path = graphs.yolov8(tmp_path / "model.onnx")
    row = await send(work, path, GOOD + "floor_confidence: 0.2\ndescription: Bolts.")
    spec = await find_model("own-bolts")
    assert [each.name for each in await uploaded_specs()] == ["own-bolts"]
    assert (spec.description, spec.labels) == ("Bolts.", ("bolt", "nut", "washer"))

    weights_dir = work.runtime.settings.resolved_weights_dir()
    requested = RequestedSettings(ml_model="own-bolts", tracker=Tracker.NONE, frame_stride=20)
    settings = await complete_settings(requested, weights_dir, None)
    clip = media_dir / "short_hamilton_clip.mp4"
    analysis = await work.analyse(clip, settings)
    assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message

    found = json.loads(await work.result(analysis, ResultFormat.JSON))["frames"]
    model = detector(path, GOOD.replace("name: own-bolts\n", "") + "floor_confidence: 0.2")
    count = 0
    for frame, image in zip(found, read_frames(clip, step=20), strict=True):
        (expected,) = model.analyze([image])
        confident = expected.confidence >= settings.min_confidence
        assert [one["label"] for one in frame["detections"]] == list(expected.data["class_name"][confident])
        assert [one["confidence"] for one in frame["detections"]] == pytest.approx(
            expected.confidence[confident], abs=1e-6
        )
        count += int(confident.sum())
    assert count > 50

    await delete_own_model(work.runtime.storage, work.owner, "own-bolts", caller=Caller())
    assert await work.runtime.storage.stat(row.storage_key) is None
    assert len(list(weights_dir.glob("own-*.onnx"))) == 1
    assert await remove_unused_files(weights_dir) == 1
    with pytest.raises(UnknownModelError):
        await find_model("own-bolts")
    kinds = await AuditEntry.filter(subject_id=row.id).order_by("created_at").values_list("kind", flat=True)
    assert kinds == [AuditKind.ML_MODEL_UPLOADED, AuditKind.ML_MODEL_DELETED]


async def test_another_model_of_the_same_name_gives_its_own_results(work, tmp_path, media_dir):
    """Neither stored detections nor the model that a process has loaded are taken for those of the new one."""
    clip = media_dir / "gestures" / "eat.mkv"
    weights_dir, counts = work.runtime.settings.resolved_weights_dir(), []
    first = graphs.yolov8(tmp_path / "a.onnx")
    second = graphs.detr(tmp_path / "b.onnx")
    requested = RequestedSettings(ml_model="own-bolts", tracker=Tracker.NONE, frame_stride=10)
    for path, config in ((first, GOOD), (second, GOOD.replace("yolov8", "rt-detr"))):
        await send(work, path, config)
        analysis = await work.analyse(clip, await complete_settings(requested, weights_dir, None))
        assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
        frames = json.loads(await work.result(analysis, ResultFormat.JSON))["frames"]
        (image,) = read_frames(clip, limit=1)
        (expected,) = detector(path, config.replace("name: own-bolts\n", "")).analyze([image])
        confident = expected.confidence >= 0.4
        assert len(frames[0]["detections"]) == int(confident.sum())
        counts.append(len(frames[0]["detections"]))
        await delete_own_model(work.runtime.storage, work.owner, "own-bolts", caller=Caller())
    assert counts[0] != counts[1]


@pytest.mark.parametrize(
    ("graph", "changes", "message"),
    [
        (graphs.hungry, {"analysis_process_memory_bytes": 2 * 2**30}, "out of memory at 2048 MB"),
        (graphs.endless, {"own_model_check_seconds": 3.0}, "its check timed out after 3 s"),
        (graphs.chance, {}, "gives other results for the same image"),
    ],
)
async def test_a_model_that_does_harm_is_refused_with_the_reason(work, tmp_path, graph, changes, message):
    with pytest.raises(InvalidError, match=message) as caught:
        await send(work, graph(tmp_path / "model.onnx"), **changes)
    assert caught.value.path == ("file",)
    assert not await OwnModel.exists()


async def test_a_model_that_crashes_is_refused_with_the_reason(work, tmp_path, monkeypatch):
    start = AnalysisProcess.start

    async def crashing(options):
        process = await start(options)
        asyncio.get_running_loop().call_later(4, os.kill, process.pid, signal.SIGSEGV)
        return process

    monkeypatch.setattr(AnalysisProcess, "start", crashing)
    with pytest.raises(InvalidError, match=r"its check crashed with signal 11 \(SIGSEGV\)"):
        await send(work, graphs.endless(tmp_path / "model.onnx"))


async def test_what_does_not_fit_is_told_at_its_field(work, tmp_path):
    path = graphs.yolov8(tmp_path / "model.onnx")
    for config, where, message in (
        (GOOD.replace(", washer", ""), ("config", "labels"), "labels: the configuration has 2, but"),
        ("nonsense", ("config",), "config: must be a YAML mapping"),
    ):
        with pytest.raises(InvalidError, match=message) as caught:
            await send(work, path, config)
        assert caught.value.path == where
    assert not await OwnModel.exists()


async def test_limits_and_names_are_checked_and_files_kept(work, tmp_path):
    path = graphs.yolov8(tmp_path / "model.onnx")
    with pytest.raises(LimitExceededError, match="limit: max_own_model_bytes"):
        await send(work, path, max_own_model_bytes=1000)
    row = await send(work, path)
    with pytest.raises(LimitExceededError, match="limit: max_own_models"):
        await send(work, path, max_own_models=1)
    with pytest.raises(ConflictError, match="There is a model own-bolts already") as caught:
        await send(work, path)
    assert caught.value.path == ("config", "name")
    # The bytes of the refused ones are nobody's: their sender removes them, or housekeeping does.
    assert await remove_unowned(work.runtime.storage, older_than_seconds=-60) == 3
    assert await work.runtime.storage.stat(row.storage_key) is not None


async def test_a_model_in_use_is_not_deleted_and_one_that_is_gone_is_named(work, tmp_path, media_dir):
    await send(work, graphs.yolov8(tmp_path / "model.onnx"))
    weights_dir, storage = work.runtime.settings.resolved_weights_dir(), work.runtime.storage
    requested = RequestedSettings(ml_model="own-bolts", frame_stride=20)
    settings = await complete_settings(requested, weights_dir, None)
    video = await work.add_video(media_dir / "gestures" / "eat.mkv")
    analysis = await create_analysis(work.owner.id, video, settings)
    with pytest.raises(ConflictError, match="1 unfinished analysis uses this model"):
        await delete_own_model(storage, work.owner, "own-bolts", caller=Caller())
    # As if it was deleted in the moment between the two.
    await OwnModel.all().delete()
    await work.work()
    analysis = await Analysis.get(id=analysis.id)
    assert analysis.status == AnalysisStatus.FAILED
    assert "there is no model 'own-bolts'" in analysis.error_message
    with pytest.raises(ModelUnavailableError, match="there is no model 'own-bolt'"):
        await complete_settings(RequestedSettings(ml_model="own-bolt"), weights_dir, None)


async def test_a_lost_file_is_told(work, tmp_path, media_dir):
    row = await send(work, graphs.yolov8(tmp_path / "model.onnx"))
    await work.runtime.storage.delete(row.storage_key)
    settings = await complete_settings(
        RequestedSettings(ml_model="own-bolts"), work.runtime.settings.resolved_weights_dir(), None
    )
    analysis = await work.analyse(media_dir / "gestures" / "eat.mkv", settings)
    assert analysis.status == AnalysisStatus.FAILED
    assert "the model own-bolts was deleted, or its file is lost" in analysis.error_message


def test_images_of_the_check_are_of_several_kinds():
    from tasks.process.check_model import _images

    shapes = [image.shape for image in _images()]
    assert (1, 1, 3) in shapes
    assert len(set(shapes)) > 2
    assert all(image.dtype == np.uint8 for image in _images())
