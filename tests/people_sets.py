"""Sets of clips; those of a set are analysed by one account, so that their people make one register."""

from collections.abc import Callable
from pathlib import Path

from tests.people_clips import (
    Camera,
    ClipPlan,
    Shot,
    blur,
    compression,
    darkness,
    make_clips,
    motion_blur,
    noise,
)
from tests.people_truth import Clip, gesture_clips, hamilton_clip

ONE_BY_ONE = (
    ClipPlan("pan", (Shot("obama", Camera("obama", (110, 110), (0.25, 0.75), (0.4, 0.5))),)),
    ClipPlan("zoom", (Shot("biden", Camera("biden", (60, 190))),)),
    ClipPlan("turning", (Shot("miranda", Camera("miranda", (150, 150), degrees=(-12, 12))),)),
    ClipPlan(
        "zoom out", (Shot("lacamoire", Camera("lacamoire", (180, 70), (0.4, 0.6))),), (compression(60),)
    ),
)
"""A person each."""

THREE_VIDEOS = (
    ClipPlan("first", (Shot("obama", Camera("obama", (140, 100), (0.4, 0.6))),)),
    ClipPlan(
        "second",
        (Shot("two people", Camera("obama", (80, 90), (0.3, 0.35), (0.4, 0.4))),),
        (darkness(0.45), noise(6)),
    ),
    ClipPlan(
        "third",
        (
            Shot("obama wide", Camera("obama", (90, 120), (0.3, 0.6)), 0, 2.5),
            Shot("lacamoire", Camera("lacamoire", (120, 100)), 2.5, 5),
        ),
        (compression(35),),
    ),
)
"""One of three persons is in all three videos."""

TOGETHER = (
    ClipPlan(
        "side by side",
        (
            Shot("obama", Camera("obama", (90, 110)), 0, 5, (0, 0, 0.5, 0.5)),
            Shot("biden", Camera("biden", (100, 80), degrees=(-6, 6)), 0, 5, (0.5, 0, 1, 0.5)),
            Shot("miranda", Camera("miranda", (100, 100), (0.4, 0.6)), 0, 5, (0, 0.5, 0.5, 1)),
            Shot("lacamoire", Camera("lacamoire", (80, 110)), 0, 5, (0.5, 0.5, 1, 1)),
        ),
    ),
    ClipPlan(
        "coming and going",
        (
            Shot("miranda", Camera("miranda", (110, 110), (-0.3, 1.3)), 0, 4, (0, 0, 0.5, 1)),
            Shot("obama wide", Camera("obama", (100, 120), (1.2, 0.4)), 1, 6, (0.5, 0, 1, 1)),
            Shot("miranda", Camera("miranda", (110, 100), (1.2, 0.4)), 5, 8, (0, 0, 0.5, 1)),
            Shot("biden", Camera("biden", (110, 110), (0.4, 0.7)), 6, 8, (0.5, 0, 1, 1)),
        ),
    ),
    ClipPlan(
        "twice in a row",
        (
            Shot("biden", Camera("biden", (150, 130), (0.3, 0.3)), 0, 2.5),
            Shot("two people", Camera("biden", (110, 130), (0.8, 0.8)), 2.5, 5),
            Shot("lacamoire", Camera("lacamoire", (130, 150), (0.8, 0.75)), 5, 7),
        ),
    ),
    ClipPlan(
        "cuts in one place",
        (
            Shot("obama", Camera("obama", (140, 140)), 0, 2),
            Shot("biden", Camera("biden", (140, 140)), 2, 4),
            Shot("miranda", Camera("miranda", (140, 140)), 4, 6),
            Shot("obama wide", Camera("obama", (140, 140)), 6, 8),
        ),
    ),
)
"""Four persons: several in a frame, coming and going, and cuts; the last changes who is in one and the same place."""

HARD = (
    ClipPlan("small", (Shot("two people", Camera("obama", (48, 64), (0.3, 0.4), (0.3, 0.4))),)),
    ClipPlan("smaller", (Shot("miranda", Camera("miranda", (40, 56), (0.3, 0.6))),), (noise(4),)),
    ClipPlan("out of focus", (Shot("obama", Camera("obama", (120, 140))),), (blur(3),)),
    ClipPlan("smeared", (Shot("biden", Camera("biden", (110, 110), (0.2, 0.8))),), (motion_blur(13),)),
    ClipPlan("dark", (Shot("lacamoire", Camera("lacamoire", (110, 140))),), (darkness(0.25), noise(5))),
    ClipPlan("noisy", (Shot("biden", Camera("biden", (90, 120), degrees=(-8, 8))),), (noise(30),)),
    ClipPlan("pressed", (Shot("lacamoire", Camera("lacamoire", (80, 110))),), (compression(8),)),
    ClipPlan(
        "squeezed",
        (Shot("miranda", Camera("miranda", (130, 130), squeeze=(0.6, 1.0), degrees=(0, 10))),),
        (compression(30), noise(8)),
    ),
)
"""Four persons, twice each, badly seen."""

MADE = {"one by one": ONE_BY_ONE, "three videos": THREE_VIDEOS, "together": TOGETHER, "hard": HARD}


def _made(name: str) -> Callable[[Path, Path], list[Clip]]:
    return lambda media_dir, folder: make_clips(MADE[name], media_dir, folder)


CLIP_SETS: dict[str, Callable[[Path, Path], list[Clip]]] = {
    **{name: _made(name) for name in MADE},
    "hamilton": lambda media_dir, _: [hamilton_clip(media_dir)],
    "signers": lambda media_dir, _: gesture_clips(media_dir),
}
"""Name → what gives its clips, from the folder of real clips and photos and one to write to."""
