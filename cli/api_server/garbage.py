"""The garbage collector of the API process."""

import gc

_THRESHOLDS = (10_000, 10, 10)
"""A request makes hundreds of objects that are freed without the collector's help, and by default each of
them sets it off. What it is for, cycles that nobody refers to any more, comes to a few thousand objects here
before it runs; the rarest collection is not so rare that dead sockets pile up."""


def collect_rarely() -> None:
    """Take what was made at the start out of the collector's sight; let it look at the rest more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
