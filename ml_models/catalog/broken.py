"""Models that somebody offers, but that cannot be used."""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from ml_models.errors import PluginError

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # commands that keep no log say it themselves


@dataclass(frozen=True)
class BrokenModel:
    """A model that a package or a file offers wrongly.

    Args:
        name: What it calls itself, as far as that can be read; else what its file is called.
        error: What is wrong, and where.
    """

    name: str
    error: PluginError


_told: frozenset[str] = frozenset()


def tell_of_broken_models(broken: Collection[BrokenModel]) -> None:
    """Write what is wrong into the log: once, and again if it was mended in between."""
    global _told  # one log for the whole process
    problems = frozenset(str(model.error) for model in broken)
    for problem in sorted(problems - _told):
        log.error("A model is left out: %s", problem)
    _told = problems
