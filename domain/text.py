"""Text that people type."""


def is_storable(text: str) -> bool:
    """Whether every database can store it: it has neither U+0000 nor lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
