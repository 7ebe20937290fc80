"""The videos of a folder and their ground truth."""

import configparser
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tasks.evaluation.coco_truth import CocoSequence, read_coco
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
    """Frames as files, in order.

    Args:
        paths: The files.
        frames_per_second: How fast they follow each other.
        is_video: Whether they do: else each is for itself.
    """

    paths: tuple[Path, ...]
    frames_per_second: float = _DEFAULT_FPS
    is_video: bool = True


@dataclass(frozen=True)
class LabelledSequence:
    """A video, as a file or as pictures, and what is to be found in it."""

    name: str
    source: Path | Pictures
    truth: Truth


def find_sequences(
    folder: Path, truth_format: TruthFormat | None = None, media: Path | None = None
) -> list[LabelledSequence]:
    """The sequences of a folder, in order of their names.

    COCO: `annotations.json`, whose images name a video and a frame, or are pictures. MOT: folders with
    `gt/gt.txt` and a video or `img1/`, and `CLIP.txt` beside `CLIP.mp4`.

    Args:
        folder: Of the ground truth.
        truth_format: Its form; None: COCO where there is an `annotations.json`, else MOT.
        media: Where videos and the pictures of COCO lie that are not in the folder itself.

    Raises:
        GroundTruthError: There are none, or one cannot be read.
    """
    if not folder.is_dir():
        raise GroundTruthError(f"{folder} is no folder.")
    if truth_format is None:
        truth_format = TruthFormat.COCO if (folder / COCO_FILE).is_file() else TruthFormat.MOT
    if truth_format is TruthFormat.COCO:
        return [
            LabelledSequence(one.name, _coco_source(media or folder, one), one.truth)
            for one in read_coco(folder / COCO_FILE)
        ]
    found = [_of_folder(path.parent.parent, media) for path in sorted(folder.glob("*/gt/gt.txt"))]
    if (folder / "gt" / "gt.txt").is_file():
        found.append(_of_folder(folder, media))
    for path in sorted(folder.glob("*.txt")):
        video = _video(media or folder, path.stem)
        if video is not None:
            found.append(LabelledSequence(path.stem, video, read_mot(path)))
    if not found:
        raise GroundTruthError(
            f"{folder} has no ground truth: {COCO_FILE}, SEQUENCE/gt/gt.txt, or CLIP.txt beside CLIP.mp4."
        )
    return found


def _of_folder(folder: Path, media: Path | None) -> LabelledSequence:
    truth = read_mot(folder / "gt" / "gt.txt")
    pictures = sorted(path for path in folder.glob("img1/*") if path.suffix.lower() in _PICTURES)
    if pictures:
        return LabelledSequence(folder.name, Pictures(tuple(pictures), _frames_per_second(folder)), truth)
    inside = sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEOS)
    video = inside[0] if len(inside) == 1 else _video(media or folder.parent, folder.name)
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


def _coco_source(folder: Path, sequence: CocoSequence) -> Path | Pictures:
    names = (sequence.name,) if sequence.pictures is None else sequence.pictures
    paths = tuple(folder / name for name in names)
    kind = "video" if sequence.pictures is None else "picture"
    for name, path in zip(names, paths, strict=True):
        if not path.is_file():
            raise GroundTruthError(f"There is no {kind} {path}.")
        digest = sequence.digests.get(name)
        if digest is not None and digest != _sha256(path):
            raise GroundTruthError(f"{path} is not the {kind} that was labelled: its SHA-256 is another.")
    return paths[0] if sequence.pictures is None else Pictures(paths, is_video=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
