import json
import re
from pathlib import Path

from ml_models.catalog import CATALOG
from ml_models.measurements import (
    PATH,
    Measurements,
    Quality,
    Speed,
    load_measurements,
    measured,
    record_quality,
    record_speed,
)

SPEED = Speed(2.5, 1.5, "a photograph", "a CPU", "framewise models bench")
AP = Quality("AP50", 0.8, "three clips", "framewise evaluate")


def test_what_is_recorded_is_read_again_and_replaces_only_its_own(tmp_path):
    path = tmp_path / "figures.json"
    record_speed(path, {"a": SPEED})
    record_quality(path, "a", [AP, Quality("AP", 0.4, "three clips", "framewise evaluate")])
    record_quality(path, "b", [AP])
    newer = Quality("AP50", 0.9, "three clips", "framewise evaluate")
    record_quality(path, "a", [newer])
    record_speed(path, {"c": SPEED})
    figures = load_measurements(path)
    assert figures["a"].speed == figures["c"].speed == SPEED
    assert {quality.metric: quality.value for quality in figures["a"].quality} == {"AP": 0.4, "AP50": 0.9}
    assert figures["b"] == Measurements(None, (AP,))
    before = path.read_text()
    record_quality(path, "a", [newer])
    assert path.read_text() == before


def test_what_was_not_measured_has_no_figures(tmp_path):
    assert measured("no-such-model") == Measurements()
    assert load_measurements(tmp_path / "none.json") == {}


def test_the_committed_figures_are_of_models_of_the_catalogue_and_name_their_command():
    figures = load_measurements()
    assert set(figures) <= {spec.name for spec in CATALOG}
    for measurements in figures.values():
        origins = [quality.command for quality in measurements.quality]
        if measurements.speed:
            assert measurements.speed.milliseconds_1_thread > 0
            assert measurements.speed.cpu
            origins.append(measurements.speed.command)
        assert origins
        assert all(origin.startswith("framewise ") for origin in origins)
    assert json.loads(PATH.read_text(encoding="utf-8")), "written by a command"


def test_no_figure_of_this_kind_is_written_elsewhere_in_the_catalogue():
    for path in (Path(__file__).resolve().parents[2] / "ml_models" / "catalog").glob("*.py"):
        assert not re.search(r"\d ms\b|frames/s", path.read_text(encoding="utf-8")), path
