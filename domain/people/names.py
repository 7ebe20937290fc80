"""What names have in common that are spelt in another case."""

import unicodedata

_SAME_LETTERS = str.maketrans({"\u0131": "i"})


def name_key(name: str) -> str:
    """The name as it is searched and sorted by: in no case, of whatever script.

    Unicode's case folding keeps the two letters i of Turkish apart, whose capitals are I and İ. Whoever
    searches has them on one key or the other, so here all four are one.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return folded.replace("i\u0307", "i").translate(_SAME_LETTERS)
