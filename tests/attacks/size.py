"""How hard the attacks are: a little in each test run, in full with `make chaos CHAOS=attacks`."""

import os

FULL_VARIABLE = "FRAMEWISE_ATTACKS"
IS_FULL = os.environ.get(FULL_VARIABLE) == "full"
SEED = int(os.environ.get("FRAMEWISE_ATTACKS_SEED", "2026"))


def sized(little: int, full: int) -> int:
    """A number for this run."""
    return full if IS_FULL else little
