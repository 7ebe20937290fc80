"""Parameters of the tracker, as the server takes them."""

import math
from collections.abc import Sequence

from cli.errors import CliError
from cli.model_choice import near
from domain.analyses.options import TrackingOptions, camel_case

_WHOLE = frozenset({"min_consecutive_frames", "direction_frames"})


def parse_tracker_options(texts: Sequence[str] | None) -> dict[str, float]:
    """Parameters "lost-track-seconds=2", by their names in `TrackerParametersInput`.

    Whether the chosen tracker takes them, and within which bounds, the server says.

    Raises:
        CliError: A text names no parameter, or none twice, or no number.
    """
    names = {name.replace("_", "-"): name for name in TrackingOptions.__dataclass_fields__}
    found: dict[str, float] = {}
    for text in texts or ():
        typed, _, value = text.partition("=")
        if typed not in names:
            raise CliError(f"There is no --tracker-option {typed!r}: {near(typed, list(names))}", 2)
        name = names[typed]
        if camel_case(name) in found:
            raise CliError(f"--tracker-option {typed} is given twice.", 2)
        found[camel_case(name)] = _number(text, value, is_whole=name in _WHOLE)
    return found


def _number(text: str, value: str, *, is_whole: bool) -> float:
    try:
        number = int(value) if is_whole else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        kind = "whole number" if is_whole else "number"
        raise CliError(f"--tracker-option must be a name and a {kind}, such as x=2, not {text!r}.", 2)
    return number
