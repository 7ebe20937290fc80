"""Rendering short texts, in any script a font at hand can show."""

import importlib.util
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

# Fonts with East Asian and other scripts, as systems name their files; looked for only when needed.
_WIDE_FONTS = (
    *("NotoSansCJK", "NotoSansSC", "SourceHanSans", "wqy-", "DroidSansFallback", "NotoSans-", "unifont"),
    *("PingFang", "Hiragino", "AppleSDGothic", "Arial Unicode", "msyh", "malgun", "YuGoth", "segoeui"),
)
_FONT_FOLDERS = {
    "darwin": ("/System/Library/Fonts", "/Library/Fonts"),
    "win32": ("C:/Windows/Fonts",),
}
_NO_CHARACTER = "\U0010ffff"


@lru_cache(maxsize=1024)
def text_mask(text: str, size: int) -> NDArray[np.uint8]:
    """Coverage 0 to 255 (height, width) of `text` on one line.

    The height depends on `size` alone, so that pieces put side by side share a base line. What no font can
    show becomes that font's box.

    Args:
        text: Control characters and line breaks become spaces.
        size: Of the font, in pixels.
    """
    line = "".join(character if character.isprintable() else " " for character in text)
    font = _font_for(line, size)
    ascent, descent = _default_font(size).getmetrics()
    width = max(int(np.ceil(font.getlength(line))), 1)
    image = Image.new("L", (width, ascent + descent))
    ImageDraw.Draw(image).text((0, ascent), line, fill=255, font=font, anchor="ls")
    return np.asarray(image)


def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    default = _default_font(size)
    unknown = {character for character in text if not _shows(default, character)}
    if unknown:
        for path in _wide_font_paths():
            font = _load(str(path), size)
            if font is not None and all(_shows(font, character) for character in unknown):
                return font
    return default


def _shows(font: ImageFont.FreeTypeFont, character: str) -> bool:
    if character.isspace() or character.isascii():
        return True
    return bytes(font.getmask(character)) != bytes(font.getmask(_NO_CHARACTER))


@lru_cache(maxsize=64)
def _default_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans (Latin, Greek, Cyrillic, Arabic), from matplotlib; else Pillow's own, Latin only."""
    matplotlib = importlib.util.find_spec("matplotlib")
    for folder in (matplotlib.submodule_search_locations or []) if matplotlib else []:
        font = _load(str(Path(folder) / "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"), size)
        if font is not None:
            return font
    built_in = ImageFont.load_default(size)
    if not isinstance(built_in, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType: labels cannot be drawn")
    return built_in


@lru_cache(maxsize=64)
def _load(path: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(path, size)
    except OSError:
        return None


@lru_cache(maxsize=1)
def _wide_font_paths() -> tuple[Path, ...]:
    folders = _FONT_FOLDERS.get(sys.platform, ("/usr/share/fonts", "/usr/local/share/fonts"))
    found = [
        path
        for folder in folders
        for path in sorted(Path(folder).rglob("*"))
        if path.suffix.lower() in (".ttf", ".ttc", ".otf")
    ]
    return tuple(path for name in _WIDE_FONTS for path in found if path.name.startswith(name))
