"""`framewise evaluate`: what is said of wrong input. Its numbers: tests/tasks/evaluation."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cli.errors import CliError
from cli.evaluate import EvaluateOptions, evaluate_folder
from settings import Settings

LINE = "{frame},4,10,20,30,40,1,1,1\n"


@pytest.fixture
def folder(tmp_path, media_dir) -> Path:
    (tmp_path / "a.mp4").symlink_to(media_dir / "short_hamilton_clip.mp4")
    (tmp_path / "a.txt").write_text(LINE.format(frame=1))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"truth_format": "voc"}, "mot or coco"),
        ({"ml_model": "yunet-2062"}, "yunet"),
        ({"ml_model": "own-good"}, "uploaded models live on the server"),
        ({"labels": ("cat",)}, "no label 'cat'"),
        ({"min_confidence": 0.0001}, "must be at least"),
        ({"truth_format": "coco"}, "annotations.json"),
        ({"region": ((0, 0), (1, 1), (0.5, 0.5))}, "region"),
    ],
)
def test_what_is_wrong_is_said(changes, said, folder, weights_dir):
    options = EvaluateOptions(**{"folder": folder, "ml_model": "yunet-2026may", "tracker": "SORT", **changes})
    settings = Settings(data_dir=folder, weights_mirror=str(weights_dir))
    with pytest.raises(CliError, match=said):
        evaluate_folder(settings, options, Console(file=io.StringIO()))


def test_ground_truth_beyond_the_end_of_the_video(folder, weights_dir, tmp_path_factory):
    (folder / "a.txt").write_text(LINE.format(frame=276))
    settings = Settings(data_dir=folder, weights_mirror=str(weights_dir))
    options = EvaluateOptions(folder, "yunet-2026may", "NONE")
    with pytest.raises(CliError, match="goes up to frame 276, but it has only 275 frames"):
        evaluate_folder(settings, options, Console(file=io.StringIO()))


def test_a_file_that_is_no_video(folder, weights_dir):
    (folder / "a.mp4").unlink()
    (folder / "a.mp4").write_text("text")
    settings = Settings(data_dir=folder, weights_mirror=str(weights_dir))
    with pytest.raises(CliError):
        evaluate_folder(
            settings, EvaluateOptions(folder, "yunet-2026may", "SORT"), Console(file=io.StringIO())
        )


def coco(folder: Path, label: str, track_ids: list[int | None]) -> None:
    document = {
        "images": [{"id": 1, "video": "a.mp4", "frame_index": 1}],
        "categories": [{"id": 1, "name": label}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": [10 * n, 20, 30, 40], "track_id": track_id}
            for n, track_id in enumerate(track_ids)
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("label", "track_ids", "said"),
    [
        ("face", [None, None], ["a.mp4: no MOTA, IDF1, HOTA and switches, because no box"]),
        ("face", [1, None], ["a.mp4: 1 box has no track id; MOTA, IDF1, HOTA and switches leave them out"]),
        ("face", [1, 2], []),
        ("cat", [1, 2], ["Warning: no label of the ground truth (cat) is one of the model yunet-2026may (face)"]),
        ("face", [], ["a.mp4: no scores, because the ground truth has no boxes"]),
    ],
)  # fmt: skip
def test_why_scores_are_missing_is_said(label, track_ids, said, folder, weights_dir):
    coco(folder, label, track_ids)
    output, scores = io.StringIO(), folder / "scores.json"
    settings = Settings(data_dir=folder, weights_mirror=str(weights_dir))
    options = EvaluateOptions(folder, "yunet-2026may", "SORT", json_file=scores)
    evaluate_folder(settings, options, Console(file=output, width=120))
    written = json.loads(scores.read_text())
    assert len(written["notes"]) == len(said)
    for note, words in zip(written["notes"], said, strict=True):
        assert note.startswith(words)
        assert note in output.getvalue()
    assert written["sequences"][0]["frames"] == 1
    assert (written["total"]["mota"] is None) == (len(track_ids) == 0 or track_ids[0] is None)


def test_frames_are_looked_at_as_the_options_say(folder, weights_dir, tmp_path_factory):
    coco(folder, "face", [None])
    media = tmp_path_factory.mktemp("media")
    (folder / "a.mp4").rename(media / "a.mp4")
    output, scores = io.StringIO(), folder / "scores.json"
    options = EvaluateOptions(
        folder, "yunet-2026may", "NONE", json_file=scores, media=media, is_fast=True, tile=(320, 0.1)
    )
    settings = Settings(data_dir=folder, weights_mirror=str(weights_dir))
    evaluate_folder(settings, options, Console(file=output, width=120))
    said = output.getvalue().replace("\n", " ")
    assert "mode FAST" in said
    assert "tiles of 320 pixels" in said
    assert "MOTA" not in said.split("no MOTA")[0], "no columns of tracks where there are none"
    written = json.loads(scores.read_text())
    assert written["detectionOptions"]["mode"] == "FAST"
    assert written["detectionOptions"]["motion_gating"] is True
    (one,) = written["sequences"]
    assert (one["framesSeen"], one["truthBoxes"]) == (2, 1)
    assert 1 <= one["framesLookedAt"] <= 2
    strided = EvaluateOptions(folder, "yunet-2026may", "NONE", json_file=scores, media=media, frame_stride=2)
    evaluate_folder(settings, strided, Console(file=io.StringIO()))
    assert json.loads(scores.read_text())["total"]["frames"] == 0, "frame 1 is none of the stride"
