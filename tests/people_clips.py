"""Clips made from photos of people who are known by name, with the truth of who is where in every frame.

A clip shows one photo or several in panels. In each a camera pans, zooms and turns; the picture as a whole
may be noisy, blurred, dark or compressed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from tests.people_truth import Clip, Corners, Face

Image = NDArray[np.uint8]

RATE = 15
WIDTH, HEIGHT = 640, 360
_WHOLE_SHARE = 0.7
_LEAST_SHARE = 0.1
"""Of a face that is to be seen; between the two it may be found or not."""


@dataclass(frozen=True)
class Photo:
    """A photo and the corners of each face in it, in its pixels."""

    file_name: str
    faces: dict[str, Corners] = field(hash=False)


PHOTOS = {
    "obama": Photo("obama.jpg", {"obama": (370, 91, 612, 421)}),
    "obama wide": Photo("obama-720p.jpg", {"obama": (581, 59, 747, 271)}),
    "biden": Photo("biden.jpg", {"biden": (428, 181, 715, 575)}),
    "miranda": Photo("lin-manuel-miranda.png", {"miranda": (257, 125, 531, 505)}),
    "lacamoire": Photo("alex-lacamoire.png", {"lacamoire": (192, 110, 323, 320)}),
    "two people": Photo("two_people.jpg", {"obama": (240, 27, 385, 226), "biden": (787, 48, 937, 254)}),
}
"""Names are those of the files; the faces of `two_people.jpg` are told in that order, left and right."""


@dataclass(frozen=True)
class Camera:
    """Where the face that it follows is at the start and at the end, in shares of the panel.

    Args:
        face: Whose.
        height: How many pixels high the face is.
        x: Centre of the face.
        y: Likewise.
        degrees: How far the picture is turned.
        squeeze: How much narrower the picture is than it should be, as a face looks that turns away.
    """

    face: str
    height: tuple[float, float] = (130, 130)
    x: tuple[float, float] = (0.5, 0.5)
    y: tuple[float, float] = (0.45, 0.45)
    degrees: tuple[float, float] = (0, 0)
    squeeze: tuple[float, float] = (1, 1)

    def matrix(self, photo: Photo, progress: float, width: int, height: int) -> NDArray[np.float64]:
        """From pixels of the photo to those of the panel, (2, 3)."""
        x1, y1, x2, y2 = photo.faces[self.face]
        middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
        scale = _between(self.height, progress) / (y2 - y1)
        angle = np.deg2rad(_between(self.degrees, progress))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = scale * turn @ np.diag([_between(self.squeeze, progress), 1.0])
        goal = np.array([_between(self.x, progress) * width, _between(self.y, progress) * height])
        return np.hstack([linear, (goal - linear @ middle)[:, None]])


@dataclass(frozen=True)
class Shot:
    """A photo in a panel of the picture, for a while.

    Args:
        photo: A name of `PHOTOS`.
        camera: How it is shown.
        start: Seconds.
        end: Seconds.
        panel: Corners in shares of the picture.
    """

    photo: str
    camera: Camera
    start: float = 0.0
    end: float = 4.0
    panel: Corners = (0, 0, 1, 1)

    def frame(self, image: Image, seconds: float) -> tuple[Image, list[Face], tuple[int, int]]:
        """The panel at a time, the faces in it, in pixels of the picture, and where it lies."""
        x1, y1, x2, y2 = np.multiply(self.panel, (WIDTH, HEIGHT, WIDTH, HEIGHT)).round().astype(int)
        width, height = int(x2 - x1), int(y2 - y1)
        photo = PHOTOS[self.photo]
        progress = (seconds - self.start) / (self.end - self.start)
        matrix = self.camera.matrix(photo, progress, width, height)
        shrunk = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        if shrunk < 1:
            image = cv2.GaussianBlur(image, (0, 0), 0.5 / shrunk)
        shown = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        faces = []
        for person, corners in photo.faces.items():
            box, share = _moved(corners, matrix, width, height)
            if share >= _LEAST_SHARE:
                left, top, right, bottom = np.add(box, (x1, y1, x1, y1)).tolist()
                faces.append(Face(person, (left, top, right, bottom), is_clear=share >= _WHOLE_SHARE))
        return shown, faces, (int(x1), int(y1))


def _between(values: tuple[float, float], progress: float) -> float:
    return values[0] + (values[1] - values[0]) * progress


def _moved(
    corners: Corners, matrix: NDArray[np.float64], width: int, height: int
) -> tuple[NDArray[np.float64], float]:
    """The upright box of a face of the same size in the panel, and how much of it can be seen."""
    x1, y1, x2, y2 = corners
    x, y = matrix @ [(x1 + x2) / 2, (y1 + y2) / 2, 1]
    across, down = np.linalg.norm(matrix[:, 0]) * (x2 - x1) / 2, np.linalg.norm(matrix[:, 1]) * (y2 - y1) / 2
    whole = np.array([x - across, y - down, x + across, y + down])
    seen = whole.clip(0, [width, height, width, height])
    area = max(seen[2] - seen[0], 0) * max(seen[3] - seen[1], 0)
    return seen, float(area / (4 * across * down))


Effect = Callable[[Image, np.random.Generator], Image]


def noise(deviation: float) -> Effect:
    """Gaussian noise, anew in each frame."""
    return lambda image, chance: (
        (image + chance.normal(0, deviation, image.shape)).clip(0, 255).astype(np.uint8)
    )


def blur(deviation: float) -> Effect:
    """Out of focus, deviation in pixels."""
    return lambda image, _: np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), dtype=np.uint8)


def motion_blur(pixels: int) -> Effect:
    """Smeared sideways."""
    kernel = np.full((1, pixels), 1 / pixels)
    return lambda image, _: np.asarray(cv2.filter2D(image, -1, kernel), dtype=np.uint8)


def darkness(share: float) -> Effect:
    """So much of the light."""
    return lambda image, _: (image * share).astype(np.uint8)


def compression(quality: int) -> Effect:
    """As JPEG of this quality leaves it."""

    def pressed(image: Image, _: np.random.Generator) -> Image:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)

    return pressed


@dataclass(frozen=True)
class ClipPlan:
    """A clip to be made; `name` also decides its noise."""

    name: str
    shots: tuple[Shot, ...]
    effects: tuple[Effect, ...] = ()

    @property
    def seconds(self) -> float:
        """Length."""
        return max(shot.end for shot in self.shots)


def make_clip(plan: ClipPlan, media_dir: Path, folder: Path) -> Clip:
    """Write it as H.264, a key frame every second, with its truth."""
    path = folder / f"{plan.name.replace(' ', '-')}.mp4"
    truth: list[tuple[Face, ...]] = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=RATE, options={"preset": "veryfast", "crf": "23", "g": str(RATE)}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.thread_count = 1
        for index, (image, faces) in enumerate(_frames(plan, media_dir)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            truth.append(tuple(faces))
        container.mux(stream.encode())
    return Clip(plan.name, path, tuple(truth))


def make_clips(plans: Sequence[ClipPlan], media_dir: Path, folder: Path) -> list[Clip]:
    """Make each of them."""
    folder.mkdir(parents=True, exist_ok=True)
    return [make_clip(plan, media_dir, folder) for plan in plans]


def _frames(plan: ClipPlan, media_dir: Path) -> Iterator[tuple[Image, list[Face]]]:
    chance = np.random.default_rng(list(plan.name.encode()))
    photos = {shot.photo: _read(media_dir / PHOTOS[shot.photo].file_name) for shot in plan.shots}
    for index in range(round(plan.seconds * RATE)):
        seconds = index / RATE
        picture, faces = np.full((HEIGHT, WIDTH, 3), 40, dtype=np.uint8), []
        for shot in plan.shots:
            if shot.start <= seconds < shot.end:
                shown, seen, (x, y) = shot.frame(photos[shot.photo], seconds)
                picture[y : y + shown.shape[0], x : x + shown.shape[1]] = shown
                faces += seen
        for effect in plan.effects:
            picture = effect(picture, chance)
        yield picture, faces


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(path)
    return np.asarray(image, dtype=np.uint8)
