"""The garbage collector of the API process."""

import gc
import logging
import sys
import time

logger = logging.getLogger(__name__)

_THRESHOLDS = (4_000, 3, 1_000_000)
"""A collection of all there is never comes by itself. Those of the young may come late, whatever is set: each
old object that is freed makes up for a new one."""

_MANY_OBJECTS = 6_000
_TOO_MANY_OBJECTS = 20_000
"""To look at so many takes some 10 ms."""

_QUIET_SECONDS = 1.0
_QUIET_CPU_SHARE = 0.02
_WORTH_A_LOOK = 20
"""So many times something was put away since the last look at everything."""

_BLOCKS_PER_CONNECTION = 400
_SPARE_BLOCKS = 4_000_000
"""Of memory, some 90 bytes each, that may be kept for nothing until a look at everything is taken at any
time. To count objects out of the collector's sight takes as long as to look at them."""


def collect_rarely() -> None:
    """Take what was made at the start out of the collector's sight; let it look at the rest more rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


class GarbageKeeper:
    """Collects in small portions, whatever the process holds.

    By default the collector looks at everything now and then: with 10,000 sockets that keeps the loop from
    turning for more than half a second, and frees next to nothing, for closed connections leave no cycles
    behind. Here what survives is put out of its sight soon, so that it has to look at the newest only. Cycles
    among what was put away are found by a look at everything, at a moment when there is nothing else to do.
    """

    def __init__(self) -> None:
        self._put_away_count = 0
        self._kept_blocks = sys.getallocatedblocks()
        self._quiet_since = time.monotonic()
        self._cpu_seconds = time.process_time()

    def check(self, connection_count: int) -> None:
        """Do what is due; is called some ten times a second.

        Args:
            connection_count: How many connections are open.
        """
        newest, younger, old = _counts()
        young = newest + younger
        if old > _MANY_OBJECTS or young > _TOO_MANY_OBJECTS:
            self._put_away(young + old)
            is_due = self._put_away_count % _WORTH_A_LOOK == 0 and self._is_too_much(connection_count)
        else:
            if young > _MANY_OBJECTS:
                gc.collect(1)
            is_due = self._put_away_count >= _WORTH_A_LOOK and self._is_quiet()
        if is_due:
            self._look_at_everything()

    def _put_away(self, count: int) -> None:
        if count < _TOO_MANY_OBJECTS:
            gc.collect()
        gc.freeze()
        self._put_away_count += 1

    def _is_quiet(self) -> bool:
        """Whether a while has passed in which next to nothing was done; asked again, it begins anew."""
        now, cpu_seconds = time.monotonic(), time.process_time()
        if now - self._quiet_since < _QUIET_SECONDS:
            return False
        share = (cpu_seconds - self._cpu_seconds) / (now - self._quiet_since)
        self._quiet_since, self._cpu_seconds = now, cpu_seconds
        return share < _QUIET_CPU_SHARE

    def _is_too_much(self, connection_count: int) -> bool:
        allowed = self._kept_blocks + _SPARE_BLOCKS + connection_count * _BLOCKS_PER_CONNECTION
        return sys.getallocatedblocks() > allowed

    def _look_at_everything(self) -> None:
        gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        self._put_away_count = 0
        self._kept_blocks = sys.getallocatedblocks()
        logger.debug("%d objects of garbage were found", found)


def _counts() -> list[int]:
    """How many objects each generation has.

    The lists of them never are in the hands of Python code: while one exists, a tuple that another thread is
    just making has two owners and cannot grow, which ends that thread's work with a SystemError.
    """
    return list(map(len, map(gc.get_objects, (0, 1, 2))))
