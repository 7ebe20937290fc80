"""What names have in common that are spelt in another case, or with other signs for the same."""

import re
import unicodedata

APOSTROPHES = "'\u2018\u2019\u02bc"
HYPHENS = "-\u2010\u2011\u058a\u05be"

_OKINA = "\u02bb"
"""A letter of Hawaiian, for which many write an apostrophe."""
_SPACES = re.compile(r"[\t\n\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_SAME = str.maketrans(
    {"\u0131": "i", _OKINA: "'", **dict.fromkeys(APOSTROPHES, "'"), **dict.fromkeys(HYPHENS, "-")}
)


def single_spaces(text: str) -> str:
    """The text with one space for each run of white space, and none at its ends."""
    return _SPACES.sub(" ", text).strip(" ")


def name_key(name: str) -> str:
    """The name as it is searched and sorted by: in no case, of whatever script.

    Whatever apostrophe, hyphen or white space is written, it is the same here. Unicode's case folding keeps
    the two letters i of Turkish apart, whose capitals are I and İ. Whoever searches has them on one key or
    the other, so here all four are one.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", single_spaces(name)).casefold())
    return folded.replace("i\u0307", "i").translate(_SAME)
