"""Getting ready before there is work: imports, and the model that was used last."""

from collections.abc import Sequence
from typing import Any

from tasks.process.child import Report
from tasks.process.protocol import Message


def warm(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Import what a detection needs."""
    import tasks.process.detect
    import tasks.process.probe
    import tasks.process.summarise
    import tasks.process.track  # noqa: F401 - imported for the time it saves later

    return Message("result")
