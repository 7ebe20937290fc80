"""Reading photos of all kinds, as they come from phones, cameras, scanners and the web."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from media.errors import MediaError

PHOTO_FORMATS_HINT = "Send a JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP file."

_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "JPEG2000")
"""Others are documents, need programs of their own, or are no photos."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"})

_ORIENTATION_TAG = 0x0112
_TURNS: Mapping[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation of EXIF → what makes it upright."""
_SIDEWAYS = frozenset({5, 6, 7, 8})

_BACKGROUND = (255, 255, 255)
"""What shows through transparent places, as in most viewers."""


class PhotoError(MediaError):
    """Raised when a photo cannot be used; `str()` says to its owner what is wrong and what to do."""


class PhotoTooLargeError(PhotoError):
    """Raised when a photo has more pixels than are read."""


@dataclass(frozen=True)
class Photo:
    """A photo, upright.

    Attributes:
        pixels: BGR uint8 (height, width, 3), made smaller if it is larger than what was asked for.
        width: Of the photo as it is, upright.
        height: Likewise.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Pixels of the photo for one of `pixels`."""
        height, width = self.pixels.shape[:2]
        return float(max(self.width, self.height) / max(width, height))


def read_photo(data: bytes, *, max_pixels: int, longest_side: int) -> Photo:
    """Decode a photo: the first picture of an animation, on white where it is transparent.

    Args:
        data: The file.
        max_pixels: More are not decoded; the header tells how many there are.
        longest_side: Larger photos are made smaller.

    Raises:
        PhotoTooLargeError: It has more pixels.
        PhotoError: It is none, or broken.
    """
    if not data:
        raise PhotoError(f"The file is empty. {PHOTO_FORMATS_HINT}")
    image = _opened(data)
    if image.width * image.height > max_pixels:
        raise PhotoTooLargeError(
            f"The photo has {image.width} x {image.height} pixels, more than {max_pixels} in all: make it "
            "smaller and send it again."
        )
    size = image.size
    # Of a JPEG, fewer pixels are decoded in the first place.
    image.draft("RGB", (min(longest_side, image.width), min(longest_side, image.height)))
    try:
        image.load()
        small = _to_rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise all kinds of errors at broken data
        raise PhotoError(
            "The photo is broken, or a part of it is missing: save it anew and send it again."
        ) from error
    if max(small.size) > longest_side:
        small.thumbnail((longest_side, longest_side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    orientation = _orientation(image)
    if orientation in _TURNS:
        small = small.transpose(_TURNS[orientation])
    width, height = size[::-1] if orientation in _SIDEWAYS else size
    return Photo(np.ascontiguousarray(np.asarray(small)[..., ::-1]), width, height)


def _opened(data: bytes) -> Image.Image:
    """The photo with its header read."""
    # Our own limit is checked instead, which is an error and not a warning.
    Image.MAX_IMAGE_PIXELS = None
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
            raise PhotoError(f"HEIC photos are not read: save it as a JPEG. {PHOTO_FORMATS_HINT}") from None
        raise PhotoError(f"This is no photo that can be read. {PHOTO_FORMATS_HINT}") from None
    except MemoryError:
        raise
    except Exception as error:  # likewise
        raise PhotoError(f"The photo's header is broken: save it anew. {PHOTO_FORMATS_HINT}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    """As RGB with 8 bits, whatever it was."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_deep_grey(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGB", image.size, _BACKGROUND)
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    return image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Grey values of more than 8 bits; Pillow itself would cut off what is brighter than 255."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    brightest = float(values.max(initial=0))
    full = next((top for top in (1.0, 255.0, 65535.0) if brightest <= top), brightest)
    if image.mode.startswith("I;16"):
        full = 65535.0
    grey = np.clip(values * (255 / full), 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # a photo without EXIF that can be understood is shown as it is
        return 1
