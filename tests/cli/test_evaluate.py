"""`framewise evaluate`: what is said of wrong input. Its numbers: tests/tasks/evaluation."""

import io
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
        ({"labels": ("cat",)}, "no label 'cat'"),
        ({"min_confidence": 0.0001}, "must be at least"),
        ({"truth_format": "coco"}, "annotations.json"),
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
