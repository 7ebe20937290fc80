"""Photos of all kinds, made of the few that there are."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
_TO_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""Orientation → what turns an upright picture into the one that is stored."""


def opened(path: Path, side: int = 480) -> Image.Image:
    """The photo, small enough to be quick."""
    image = Image.open(path).convert("RGB")
    image.thumbnail((side, side))
    return image


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned(image: Image.Image, orientation: int) -> bytes:
    """A JPEG that is stored turned, with a tag that says so."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = image.transpose(_TO_STORED[orientation]) if orientation in _TO_STORED else image
    return encoded(stored, exif=exif)


def rotated(image: Image.Image, degrees: float) -> Image.Image:
    """The photo turned counter-clockwise, with black corners."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True)


def rotated_point(point: np.ndarray, size: tuple[int, int], degrees: float) -> np.ndarray:
    """Where a point of a photo of that size lies when `rotated` turned it."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.divide(size, 2)
    return np.asarray(turn @ (point - middle) + np.abs(turn) @ middle)


def deep_grey(image: Image.Image) -> Image.Image:
    """16 bits a pixel."""
    return Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)


def see_through(image: Image.Image) -> Image.Image:
    """The middle can be seen, around it is noise under full transparency."""
    pixels = np.asarray(image.convert("RGBA")).copy()
    height, width = pixels.shape[:2]
    margin = width // 8
    border = np.ones((height, width), bool)
    border[:, margin:-margin] = False
    pixels[border] = np.random.default_rng(1).integers(0, 256, (int(border.sum()), 4), np.uint8)
    pixels[border, 3] = 0
    return Image.fromarray(pixels)


def animated(image: Image.Image, kind: str) -> bytes:
    """The photo first, then black."""
    black = Image.new("RGB", image.size)
    return encoded(image, kind, save_all=True, append_images=[black, black], duration=100)


def png_of_size(width: int, height: int, rows: int | None = None) -> bytes:
    """A PNG of a few kilobytes that unpacks to so many black pixels, 1 bit each; or only so many rows of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = zlib.compress(bytes((1 + (width + 7) // 8) * (rows or height)))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def patched_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its header."""
    place = next(n for n in range(len(data)) if data[n : n + 2] in (b"\xff\xc0", b"\xff\xc2"))
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


def side_by_side(images: list[Image.Image], height: int = 300) -> Image.Image:
    """Several photos in a row."""
    scaled = [image.resize((round(image.width * height / image.height), height)) for image in images]
    row = Image.new("RGB", (sum(image.width for image in scaled), height))
    x = 0
    for image in scaled:
        row.paste(image, (x, 0))
        x += image.width
    return row


def on_ground(image: Image.Image, size: tuple[int, int], place: tuple[int, int]) -> Image.Image:
    """The photo somewhere on a large grey one."""
    ground = Image.new("RGB", size, (128, 128, 128))
    ground.paste(image, place)
    return ground
