"""The videos of a folder and their ground truth."""

import configparser
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tasks.evaluation.coco_truth import read_coco
from tasks.evaluation.errors import GroundTruthError
from tasks.evaluation.truth import Truth, read_mot

COCO_FILE = "annotations.json"

_VIDEOS = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".ts", ".mpg", ".mpeg")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_DEFAULT_FPS = 30.0


class TruthFormat(StrEnum):
    """The forms of ground truth."""

    MOT = "mot"
    COCO = "coco"


@dataclass(frozen=True)
class Pictures:
    """Frames as files, in order."""

    paths: tuple[Path, ...]
    frames_per_second: float = _DEFAULT_FPS


@dataclass(frozen=True)
class LabelledSequence:
    """A video, as a file or as pictures, and what is to be found in it."""

    name: str
    source: Path | Pictures
    truth: Truth


def find_sequences(folder: Path, truth_format: TruthFormat | None = None) -> list[LabelledSequence]:
    """The sequences of a folder, in order of their names.

    COCO: `annotations.json`, whose images name a video and a frame, or are pictures. MOT: folders with
    `gt/gt.txt` and a video or `img1/`, and `CLIP.txt` beside `CLIP.mp4`.

    Raises:
        GroundTruthError: There are none, or one cannot be read.
    """
    if not folder.is_dir():
        raise GroundTruthError(f"{folder} is no folder.")
    if truth_format is None:
        truth_format = TruthFormat.COCO if (folder / COCO_FILE).is_file() else TruthFormat.MOT
    if truth_format is TruthFormat.COCO:
        return [
            LabelledSequence(name, _coco_source(folder, name, pictures), truth)
            for name, pictures, truth in read_coco(folder / COCO_FILE)
        ]
    found = [_of_folder(path.parent.parent) for path in sorted(folder.glob("*/gt/gt.txt"))]
    if (folder / "gt" / "gt.txt").is_file():
        found.append(_of_folder(folder))
    for path in sorted(folder.glob("*.txt")):
        video = _video(folder, path.stem)
        if video is not None:
            found.append(LabelledSequence(path.stem, video, read_mot(path)))
    if not found:
        raise GroundTruthError(
            f"{folder} has no ground truth: {COCO_FILE}, SEQUENCE/gt/gt.txt, or CLIP.txt beside CLIP.mp4."
        )
    return found


def _of_folder(folder: Path) -> LabelledSequence:
    truth = read_mot(folder / "gt" / "gt.txt")
    pictures = sorted(path for path in folder.glob("img1/*") if path.suffix.lower() in _PICTURES)
    if pictures:
        return LabelledSequence(folder.name, Pictures(tuple(pictures), _frames_per_second(folder)), truth)
    inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEOS)
    video = inside[0] if len(inside) == 1 else _video(folder.parent, folder.name)
    if video is None:
        raise GroundTruthError(f"{folder} has neither pictures in img1/ nor one video.")
    return LabelledSequence(folder.name, video, truth)


def _video(folder: Path, stem: str) -> Path | None:
    return next((path for end in _VIDEOS if (path := folder / f"{stem}{end}").is_file()), None)


def _frames_per_second(folder: Path) -> float:
    info = configparser.ConfigParser()
    try:
        info.read(folder / "seqinfo.ini")
        rate = info.getfloat("Sequence", "frameRate", fallback=_DEFAULT_FPS)
    except (configparser.Error, ValueError) as error:
        raise GroundTruthError(f"{folder / 'seqinfo.ini'}: {error}") from error
    return rate if rate > 0 else _DEFAULT_FPS


def _coco_source(folder: Path, name: str, pictures: Sequence[str] | None) -> Path | Pictures:
    if pictures is not None:
        paths = tuple(folder / picture for picture in pictures)
        missing = next((path for path in paths if not path.is_file()), None)
        if missing is not None:
            raise GroundTruthError(f"There is no picture {missing}.")
        return Pictures(paths)
    path = folder / name
    if not path.is_file():
        raise GroundTruthError(f"There is no video {path}.")
    return path
