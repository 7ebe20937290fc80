"""`make chaos CHAOS=attacks`: all attacks in full, and the table of what they did."""

import os
import sys

import pytest

from tests.attacks.size import FULL_VARIABLE


def main(arguments: list[str]) -> int:
    """Run them; the exit code is pytest's. Arguments are pytest's, too, as `-k fuzz`."""
    # Read when the tests are imported, which is later.
    os.environ[FULL_VARIABLE] = "full"
    sys.modules.pop("tests.attacks.size", None)
    return int(pytest.main(["tests/attacks", "-n0", "-s", "-q", *arguments]))
