"""The bundled labels: what they say of themselves, and that the recorded figures come out again."""

import json
import re
from pathlib import Path

import pytest

from ml_models.compute import Compute
from ml_models.measurements import measured
from ml_models.trial import Place
from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.quality import labelled_folders, measure_quality
from tasks.evaluation.sequences import Pictures, TruthFormat, find_sequences
from tests.cli.test_app import environment, framewise  # noqa: F401 - fixtures

LABELS = Path(__file__).resolve().parents[2] / "benchmarks" / "labels"
README = (LABELS / "README.md").read_text(encoding="utf-8")
FOLDERS = [folder.name for folder in labelled_folders(LABELS)]
WITHIN = 0.01
"""Processors compute a little differently."""


def document(name):
    return json.loads((LABELS / name / "annotations.json").read_text(encoding="utf-8"))


def test_there_are_numbers_and_no_media():
    files = [path for path in LABELS.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"README.md", "annotations.json"}
    assert sum(path.stat().st_size for path in files) < 200_000


@pytest.mark.parametrize("name", FOLDERS)
def test_labels_load_and_are_of_these_very_files(name, media_dir):
    sequences = find_sequences(LABELS / name, TruthFormat.COCO, media_dir)
    for sequence in sequences:
        size = len(sequence.truth.annotated_frames)
        source = sequence.source
        file = "6 photos" if isinstance(source, Pictures) else f"`{source.name}`"
        boxes, ignored = (~sequence.truth.ignored).sum(), sequence.truth.ignored.sum()
        (row,) = re.findall(rf"^\| `{name}` \| {file} \| (.*) \|$", README, re.MULTILINE)
        frames, _, *counts = row.split(" | ")
        assert (int(frames.split()[0]), counts) == (size, [str(boxes), str(ignored)])
    assert f"{sum(len(document(one)['annotations']) for one in FOLDERS) - 42} boxes" in README, "42: ignored"


@pytest.mark.parametrize("name", FOLDERS)
def test_every_nth_frame_is_labelled_and_boxes_are_in_the_picture(name):
    labels = document(name)
    (category,) = labels["categories"]
    for video in labels["videos"]:
        frames = [image["frame_index"] for image in labels["images"] if image.get("video_id") == video["id"]]
        assert frames == list(range(video["labelled_from"], video["frame_count"], video["labelled_every"]))
    sizes = {image["id"]: (image["width"], image["height"]) for image in labels["images"]}
    for one in labels["annotations"]:
        (x, y, width, height), size = one["bbox"], sizes[one["image_id"]]
        assert one["category_id"] == category["id"]
        assert min(x, y) >= 0
        assert min(width, height) > 5
        assert x + width <= size[0]
        assert y + height <= size[1]


def test_another_file_of_that_name_is_refused(tmp_path, media_dir):
    (tmp_path / "bottle-detection.mp4").symlink_to(media_dir / "nasa_13013.mp4")
    with pytest.raises(GroundTruthError, match="is not the video that was labelled"):
        find_sequences(LABELS / "bottles", media=tmp_path)


def test_recorded_figures_come_out_again(framewise, weights_dir, media_dir, tmp_path):  # noqa: F811
    path = tmp_path / "figures.json"
    done = framewise(
        "models", "bench", "yunet-2026may", "--labelled", LABELS / "faces", "--media", media_dir,
        "--mirror", weights_dir, "--save", path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    recorded = {(one.metric, one.data): one for one in measured("yunet-2026may").quality}
    again = json.loads(path.read_text())["yunet-2026may"]["quality"]
    assert {one["metric"] for one in again} == {"AP", "AP50", "RECALL", "PRECISION"}
    for one in again:
        before = recorded[one["metric"], one["data"]]
        assert one["value"] == pytest.approx(before.value, abs=WITHIN)
        assert one["command"] == before.command
        assert f"{one['value']:.3f}" in done.stdout


def test_what_cannot_be_measured_is_said(weights_dir, tmp_path):
    place = Place(weights_dir, None, Compute())
    with pytest.raises(GroundTruthError, match="There is no picture"):
        measure_quality("opencv-haar-face", place, LABELS / "faces", tmp_path)
    with pytest.raises(GroundTruthError, match=r"has no annotations\.json"):
        measure_quality("opencv-haar-face", place, tmp_path, None)


def test_labels_a_model_does_not_know_are_not_measured(weights_dir, media_dir):
    place = Place(weights_dir, None, Compute())
    assert measure_quality("opencv-haar-face", place, LABELS / "bottles", media_dir) == []
