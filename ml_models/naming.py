"""What a wrong name's error says: the names that were probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def near_misses(name: str, known: Iterable[str]) -> str:
    """The end of an error message: ``did you mean …?``, or all names if none comes near."""
    names = sorted(known)
    lower_names = {known_name.lower(): known_name for known_name in names}
    close = [lower_names[match] for match in get_close_matches(name.lower(), lower_names, n=3, cutoff=0.5)]
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are {', '.join(names)}" if names else "there are none"
