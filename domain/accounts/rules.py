"""What a username, a password, an e-mail address and a full name may be."""

import re
import unicodedata

from domain.errors import InvalidError
from domain.text import is_storable

MIN_USERNAME_LENGTH, MAX_USERNAME_LENGTH = 3, 64
MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH = 8, 256
MAX_EMAIL_LENGTH = 254
MAX_FULL_NAME_LENGTH = 200

_USERNAME_SIGNS = "._-+@"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
# Letters and marks that show nothing (Unicode's Default_Ignorable_Code_Point): two names that differ only in
# them look the same.
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_JOINERS = "\u200c\u200d"  # needed to write Persian and Indic names


def clean_username(username: str) -> str:
    """The username in NFKC form.

    Raises:
        InvalidError: It is not 3 to 64 letters, digits (of any script) and `. _ - + @`, the first of them a
            letter or digit.
    """
    name = unicodedata.normalize("NFKC", username)
    if not MIN_USERNAME_LENGTH <= len(name) <= MAX_USERNAME_LENGTH:
        raise InvalidError(
            f"A username has {MIN_USERNAME_LENGTH} to {MAX_USERNAME_LENGTH} characters.", ("username",)
        )
    if not name[0].isalnum() or not all(map(_fits_username, name)) or _INVISIBLE.search(name):
        raise InvalidError(
            "A username starts with a letter or digit and has only letters, digits and . _ - + @",
            ("username",),
        )
    return name


def username_key(username: str) -> str:
    """What two spellings of one username have in common; for any text, also one that is no username."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def check_password(password: str, argument: str) -> None:
    """Check a new password; `argument` is where it came from.

    Raises:
        InvalidError: It is shorter than 8 or longer than 256 characters, or not valid Unicode.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise InvalidError(
            f"A password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters.", (argument,)
        )
    if not is_storable(password):
        raise InvalidError("The password has characters that are not valid Unicode.", (argument,))


def clean_email(email: str) -> str:
    """The address without spaces around it.

    Raises:
        InvalidError: It cannot be an e-mail address. Whether it exists is not checked.
    """
    address = email.strip()
    if len(address) > MAX_EMAIL_LENGTH or not _EMAIL.fullmatch(address) or not _is_printable(address):
        raise InvalidError("This is not an e-mail address.", ("email",))
    return address


def clean_full_name(full_name: str) -> str:
    """The name in NFC form without spaces around it.

    Raises:
        InvalidError: It is empty, longer than 200 characters, or has control characters.
    """
    name = unicodedata.normalize("NFC", full_name.strip())
    if not name or len(name) > MAX_FULL_NAME_LENGTH:
        raise InvalidError(f"A full name has 1 to {MAX_FULL_NAME_LENGTH} characters.", ("full_name",))
    if not _is_printable(name):
        raise InvalidError("A full name has no control characters.", ("full_name",))
    return name


def _fits_username(character: str) -> bool:
    return character in _USERNAME_SIGNS or unicodedata.category(character) in (
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd",
    )  # fmt: skip


def _is_printable(text: str) -> bool:
    return all(character in _JOINERS or unicodedata.category(character)[0] != "C" for character in text)
