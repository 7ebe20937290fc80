"""What was measured of the models: speed and quality, each with how.

The figures lie in measurements.json, which `framewise models bench --save` and `framewise evaluate` write.
Nobody types them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("measurements.json")
"""The figures that come with Framewise."""


@dataclass(frozen=True)
class Speed:
    """How long a model takes for a frame; an embedding model for one box.

    Args:
        milliseconds_1_thread: With one thread, as an analysis process has.
        milliseconds_2_threads: With two.
        image: What it looked at.
        cpu: On what.
        command: What measured it.
    """

    milliseconds_1_thread: float
    milliseconds_2_threads: float
    image: str
    cpu: str
    command: str


@dataclass(frozen=True)
class Quality:
    """How good a model is, by one measure.

    Args:
        metric: The measure, such as ``AP50``.
        value: What came out.
        data: On which labelled data.
        command: What measured it.
    """

    metric: str
    value: float
    data: str
    command: str


@dataclass(frozen=True)
class Measurements:
    """What was measured of one model."""

    speed: Speed | None = None
    quality: tuple[Quality, ...] = ()


def measured(name: str) -> Measurements:
    """What was measured of the model of that name; nothing if nothing was."""
    return load_measurements().get(name, Measurements())


@lru_cache(maxsize=4)
def load_measurements(path: Path = PATH) -> dict[str, Measurements]:
    """All figures by model; read once."""
    return {
        name: Measurements(
            speed=Speed(**values["speed"]) if "speed" in values else None,
            quality=tuple(Quality(**quality) for quality in values.get("quality", ())),
        )
        for name, values in _read(path).items()
    }


def record_speed(path: Path, speeds: dict[str, Speed]) -> None:
    """Write the speeds of models into a file of figures, in place of older ones; the rest of it stays."""
    figures = _read(path)
    for name, speed in speeds.items():
        figures.setdefault(name, {})["speed"] = asdict(speed)
    _write(path, figures)


def record_quality(path: Path, name: str, qualities: Iterable[Quality]) -> None:
    """Write measures of a model into a file of figures, in place of those of the same metric and data."""
    figures = _read(path)
    new = [asdict(quality) for quality in qualities]
    replaced = {(quality["metric"], quality["data"]) for quality in new}
    old = figures.setdefault(name, {}).get("quality", [])
    kept = [quality for quality in old if (quality["metric"], quality["data"]) not in replaced]
    figures[name]["quality"] = sorted(kept + new, key=lambda quality: (quality["data"], quality["metric"]))
    _write(path, figures)


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        figures: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return figures


def _write(path: Path, figures: dict[str, dict[str, Any]]) -> None:
    path.write_text(
        json.dumps(figures, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    load_measurements.cache_clear()
