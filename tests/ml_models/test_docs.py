"""docs/ml_models.md says what the code does, and its walk-through works as printed."""

import dataclasses
import os
import re
import subprocess
import sys

import cv2
import pytest

from ml_models.catalog import CATALOG
from ml_models.coco import COCO_LABELS
from ml_models.extras import EXTRAS
from ml_models.measurements import measured
from ml_models.tracking.base import TrackingParameters
from ml_models.tracking.factory import TRACKER_PARAMETERS, TRACKERS
from tests.ml_models.clips import read_frames
from tests.ml_models.walkthrough import DOCS, documented_files, install

PAGE = DOCS.read_text(encoding="utf-8")


def rows(name):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.splitlines()
        if line.startswith(f"| `{name}` |")
    ]


@pytest.mark.parametrize(
    "spec", [spec for spec in CATALOG if spec.task.is_detection], ids=lambda spec: spec.name
)
def test_every_model_is_documented_as_it_is(spec):
    facts, limits, *_ = rows(spec.name)
    _, finds, weights, license_name, confidence, time = facts
    assert finds.startswith("the 80 labels of COCO" if spec.labels == COCO_LABELS else ", ".join(spec.labels))
    extra = f", but the extra `{spec.requires_extra}`" if spec.requires_extra else ""
    assert weights == (f"{spec.weights.size_bytes:,} bytes" if spec.weights else f"none{extra}")
    assert license_name == spec.license
    assert confidence == f"{spec.default_confidence}, {spec.floor_confidence}"
    speed, unit = measured(spec.name).speed, measured("yunet-2026may").speed
    ratio = speed and speed.milliseconds_1_thread / unit.milliseconds_1_thread
    assert time == (f"{ratio:.1f}" if ratio else "not measured")
    assert limits[1:] == [spec.training_data, spec.known_limits]


@pytest.mark.parametrize(
    "spec", [spec for spec in CATALOG if spec.task.is_detection], ids=lambda spec: spec.name
)
def test_the_quality_of_every_detector_is_documented_as_it_was_measured(spec):
    _, _, *documented = rows(spec.name)
    figures = {}
    for one in measured(spec.name).quality:
        figures.setdefault(one.data, {})[one.metric] = f"{one.value:.3f}"
    metrics = ("AP50", "AP", "RECALL", "PRECISION")
    expected = [[data, *(found[metric] for metric in metrics)] for data, found in sorted(figures.items())]
    assert [row[1:] for row in documented] == (expected or [["not measured", "", "", "", ""]])


@pytest.mark.parametrize(
    "spec", [spec for spec in CATALOG if spec.task.is_embedding], ids=lambda spec: spec.name
)
def test_every_model_that_describes_is_documented_as_it_is(spec):
    facts, limits, *quality = rows(spec.name)
    _, describes, numbers, weights, license_name, same = facts
    assert describes.startswith(", ".join(spec.labels))
    assert numbers == str(spec.embedding_size)
    assert weights == (
        f"{spec.weights.size_bytes:,} bytes" if spec.weights else f"with the extra `{spec.requires_extra}`"
    )
    assert license_name == spec.license
    assert same == str(spec.same_similarity)
    assert limits[1:] == [spec.training_data, spec.known_limits]
    figures = {quality.metric: quality.value for quality in measured(spec.name).quality}
    assert len(quality) == bool(figures)
    for row in quality:
        lowest, highest = figures["LOWEST_SAME_SIMILARITY"], figures["HIGHEST_DIFFERENT_SIMILARITY"]
        assert row[1:] == [f"{lowest:.3f}", f"{highest:.3f}", f"{lowest - highest:.3f}"]


def test_every_extra_is_documented_with_what_to_type():
    for extra in EXTRAS.values():
        if "pip install" in extra.how_to_install:
            assert f"| `{extra.name}` |" in PAGE
            assert f"`{extra.how_to_install}`" in PAGE


def test_no_model_is_documented_that_is_not_there():
    documented = set(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE))
    known = {spec.name for spec in CATALOG}
    assert known <= documented
    assert {name for name in documented if "-" in name} <= known


def test_every_tracker_and_parameter_is_documented():
    for name in TRACKERS:
        assert len(rows(name)) == 1
    of_the_analysis = {"min_confidence", "frames_per_second"}
    assert {field.name for field in dataclasses.fields(TrackingParameters)} - of_the_analysis == {
        name for taken in TRACKER_PARAMETERS.values() for name in taken
    }
    for name in {name for taken in TRACKER_PARAMETERS.values() for name in taken}:
        first, *rest = name.split("_")
        (row,) = rows(first + "".join(word.capitalize() for word in rest))
        takers = {tracker for tracker, taken in TRACKER_PARAMETERS.items() if name in taken}
        every = "all but `NONE`" if len(takers) == len(TRACKERS) - 1 else ""
        assert {name for name in TRACKERS if f"`{name}`" in row[1]} == takers or row[1] == every


def test_the_walk_through_takes_twenty_lines():
    modules = [
        text for path, text in documented_files().items() if path.startswith("blue-things/blue_things/")
    ]
    assert len(modules) == 2
    assert sum(bool(line.strip()) for text in modules for line in text.splitlines()) <= 20


def test_the_walk_through_runs_as_printed(tmp_path, media_dir):
    """Built and installed as a package, listed without anything heavy, then run on a frame of a real clip."""
    site = install(tmp_path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.getcwd()])}

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    listing = (
        "import sys; from ml_models.catalog import all_specs; print(*all_specs());"
        "print(sorted({'numpy', 'cv2', 'supervision'} & sys.modules.keys()))"
    )
    names, heavy = run("-c", listing).splitlines()
    assert names.split() == [*(spec.name for spec in CATALOG), "blue-things"]
    assert heavy == "[]"

    frame = read_frames(media_dir / "bottle-detection.mp4", limit=60)[-1]
    cv2.imwrite(str(tmp_path / "frame.png"), frame)
    lines = run("try_it.py", "frame.png").splitlines()
    assert len(lines) >= 3
    caps = [eval(line.split(maxsplit=3)[3]) for line in lines if line.startswith("blue thing")]
    middles = sorted((x1 + x2) / 2 for x1, y1, x2, y2 in caps if y1 < 130 and x2 - x1 > 15)
    assert middles == pytest.approx([97, 316, 536], abs=12), "the caps of the three bottles"
