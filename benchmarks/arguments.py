"""What benchmarks take on the command line."""

import argparse
import os
from pathlib import Path

_SHARED = Path(__file__).resolve().parents[2] / "shared"

MEDIA = Path(os.environ.get("FRAMEWISE_TEST_MEDIA", _SHARED / "media"))
"""The folder of the clips, unless another one is given."""

WEIGHTS = Path(os.environ.get("FRAMEWISE_TEST_WEIGHTS", _SHARED / "models"))
"""The folder of the weights, likewise."""


def new_parser(prog: str, description: str | None) -> argparse.ArgumentParser:
    """A parser with `--media` and `--weights`."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    parser.add_argument("--media", type=Path, default=MEDIA)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    return parser
