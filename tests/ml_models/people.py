"""Photos of four people, known by name, as a folder of folders.

`python -m tests.ml_models.people MEDIA FOLDER` makes it, for `framewise models bench --people FOLDER`.
"""

import shutil
import sys
from pathlib import Path

import cv2

from tests.ml_models.clips import read_frames

PHOTOS = {
    "barack-obama": ("obama.jpg", "obama-720p.jpg"),
    "joe-biden": ("biden.jpg",),
    "lin-manuel-miranda": ("lin-manuel-miranda.png",),
    "alex-lacamoire": ("alex-lacamoire.png",),
}
HALVES = {"barack-obama": slice(None, 563), "joe-biden": slice(563, None)}
"""Who stands left and right in two_people.jpg."""
CLIP_FRAMES = {"lin-manuel-miranda": (90, 126, 153, 207)}
"""Frames of short_hamilton_clip.mp4 that show him alone, near enough and upright."""


def gather_people(media_dir: Path, folder: Path) -> None:
    """Make the folder: ten photos of four people."""
    for name, photos in PHOTOS.items():
        (folder / name).mkdir(parents=True)
        for photo in photos:
            shutil.copy(media_dir / photo, folder / name)
    both = cv2.imread(str(media_dir / "two_people.jpg"))
    for name, columns in HALVES.items():
        cv2.imwrite(str(folder / name / "half.png"), both[:, columns])
    for name, indices in CLIP_FRAMES.items():
        frames = read_frames(media_dir / "short_hamilton_clip.mp4", limit=max(indices) + 1)
        for index in indices:
            cv2.imwrite(str(folder / name / f"frame-{index}.png"), frames[index])


if __name__ == "__main__":
    gather_people(Path(sys.argv[1]), Path(sys.argv[2]))
