"""The rules of what is kept of a person: name, birth date, sex."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import TypedDict

from domain.errors import InvalidError
from domain.people.models import Sex
from domain.people.names import APOSTROPHES, HYPHENS, name_key, single_spaces

MAX_NAME_LENGTH = 200
MAX_WORDS = 5
FIRST_BIRTH_DATE = date(1900, 1, 1)
MAX_NAME_KEY_LENGTH = 600

_FULL_LETTERS = ("Lu", "Ll", "Lt", "Lo")
_LETTERS = (*_FULL_LETTERS, "Lm")
_MARKS = ("Mn", "Mc")
_MOST_MARKS = 4
"""On one letter: Hebrew with vowels and accents has four; more is a prank."""
_MIDDLE_DOT = "\u00b7"
"""Of Catalan, as in Gal\u00b7la."""
_ZERO_WIDTH_NON_JOINER, _ZERO_WIDTH_JOINER = "\u200c", "\u200d"
_VIRAMA_CLASS = 9
# Letters and marks that show nothing (Unicode's Default_Ignorable_Code_Point).
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


class PersonalData(TypedDict, total=False):
    """What to change of a person: what is absent stays, None clears."""

    full_name: str | None
    birth_date: date | None
    sex: Sex | None


def clean_person_name(full_name: str) -> str:
    """The name in NFC form with one space between its words.

    Raises:
        InvalidError: It is not 1 to 5 words of letters of any script (with their marks), hyphens,
            apostrophes and middle dots inside words, or has more than 200 characters. The message says which
            rule it breaks.
    """
    path = ("full_name",)
    name = unicodedata.normalize("NFC", single_spaces(full_name[: 10 * MAX_NAME_LENGTH]))
    if not name:
        raise InvalidError("A name has letters; to clear it, give null.", path)
    if len(name) > MAX_NAME_LENGTH or len(full_name) > 10 * MAX_NAME_LENGTH:
        raise InvalidError(f"A name has at most {MAX_NAME_LENGTH} characters.", path)
    words = name.split(" ")
    if len(words) > MAX_WORDS:
        raise InvalidError(f"A name has 1 to {MAX_WORDS} words.", path)
    complaint = _hidden(name) or next(filter(None, map(_complaint, words)), None)
    if complaint is None and not any(map(_is_full_letter, name)):
        complaint = "A name has at least one letter that is not only a sign for other letters."
    if complaint is not None:
        raise InvalidError(complaint, path)
    return name


def stored_name_key(full_name: str | None) -> str | None:
    """The key of a name, as long as its column."""
    return None if full_name is None else name_key(full_name)[:MAX_NAME_KEY_LENGTH]


def check_birth_date(birth_date: date, recorded_on: date | None) -> None:
    """Check a birth date; `recorded_on` is when the person was first filmed, where that is known.

    Raises:
        InvalidError: It is before 1900, in the future, or after the person was filmed.
    """
    path = ("birth_date",)
    if birth_date < FIRST_BIRTH_DATE:
        raise InvalidError("A birth date is not before 1900.", path)
    if birth_date > datetime.now(UTC).date():
        raise InvalidError("A birth date is not in the future.", path)
    if recorded_on is not None and birth_date > recorded_on:
        raise InvalidError(
            f"The person is in a video that was recorded on {recorded_on}, before this birth date.", path
        )


def _hidden(name: str) -> str | None:
    found = _INVISIBLE.search(name)
    return None if found is None else _foreign(found.group())


def _complaint(word: str) -> str | None:
    """What is wrong with a word; None if nothing is.

    It has letters, each with a few marks; between letters one hyphen, apostrophe or middle dot. 't may begin
    with an apostrophe.
    """
    before, marks = "start", 0
    for place, character in enumerate(word):
        kind = _kind(character, word[:place])
        marks = marks + 1 if kind == "mark" else 0
        if kind not in _FOLLOWS[before]:
            return _out_of_place(word, place, before, kind)
        if marks > _MOST_MARKS:
            return f"A letter has at most {_MOST_MARKS} accents or other marks."
        before = kind
    return None if before in ("letter", "mark") else _out_of_place(word, len(word) - 1, "end", before)


def _out_of_place(word: str, place: int, before: str, kind: str) -> str:
    """Which rule a character breaks, by where it stands."""
    if "joiner" in (before, kind):
        return _foreign(word[place if kind in ("joiner", "other") else place - 1])
    if kind == "other":
        return _no_dots(word) if word[place] == "." else _foreign(word[place])
    if kind == "mark":
        return "An accent or other mark follows a letter."
    if "middle dot" in (before, kind):
        return "A middle dot stands between two letters."
    if before in ("hyphen", "apostrophe"):
        return "A name has no two hyphens or apostrophes in a row."
    return f"A name has no {kind} at the {before} of a word."


def _no_dots(word: str) -> str:
    without = word.replace(".", " ").strip()
    return f"A name has no dots: write {without} instead of {word}" if without else "A name has no dots."


def _foreign(character: str) -> str:
    """That a character is none of a name, and which one it is."""
    category = unicodedata.category(character)
    if category.startswith("N"):
        return "A name has no digits."
    code = f"U+{ord(character):04X}"
    called = " ".join(filter(None, (code, unicodedata.name(character, ""))))
    shown = f"{character} ({called})" if category[0] in "PS" else called
    return f"A name has only letters, hyphens, apostrophes and middle dots, not the character {shown}."


def _is_full_letter(character: str) -> bool:
    """Whether it is a letter by itself: not a lengthening, and none that is only written small and high."""
    raised = unicodedata.decomposition(character).startswith(("<super>", "<sub>"))
    return unicodedata.category(character) in _FULL_LETTERS and not raised


_FOLLOWS = {
    "start": ("letter", "apostrophe"),
    "letter": ("letter", "mark", "apostrophe", "hyphen", "middle dot", "joiner"),
    "mark": ("letter", "mark", "apostrophe", "hyphen", "middle dot", "joiner"),
    "apostrophe": ("letter",),
    "hyphen": ("letter",),
    "middle dot": ("letter",),
    "joiner": ("letter",),
}


def _kind(character: str, before: str) -> str:
    if character in APOSTROPHES:
        return "apostrophe"
    if character in HYPHENS:
        return "hyphen"
    if character == _MIDDLE_DOT:
        return "middle dot"
    if character in (_ZERO_WIDTH_JOINER, _ZERO_WIDTH_NON_JOINER) and before:
        return "joiner" if _may_join(character, before[-1]) else "other"
    category = unicodedata.category(character)
    return "letter" if category in _LETTERS else "mark" if category in _MARKS else "other"


def _may_join(joiner: str, before: str) -> bool:
    """Whether it shows: after a virama, or the non-joiner in Arabic script (RFC 5892, A.1 and A.2)."""
    if unicodedata.combining(before) == _VIRAMA_CLASS:
        return True
    return joiner == _ZERO_WIDTH_NON_JOINER and unicodedata.bidirectional(before) == "AL"
