"""Getting ready before there is work: imports, and the model that was used last."""

import gc
from collections.abc import Sequence
from typing import Any

from tasks.process.protocol import Message
from tasks.process.report import Report


def warm(values: dict[str, Any], blobs: Sequence[bytes], report: Report) -> Message:
    """Import what work needs. All of it stays, so the garbage collector need not look at it again."""
    import tasks.process.detect
    import tasks.process.identify
    import tasks.process.probe
    import tasks.process.summarise
    import tasks.process.track  # noqa: F401 - imported for the time it saves later

    gc.collect()
    gc.freeze()
    return Message("result")
