"""What a step of an analysis leaves for the next one in storage."""

from storage.errors import FileMissingError
from tasks.process.protocol import Message, decode
from tasks.runtime import Runtime


async def read_state(runtime: Runtime, key: str) -> Message | None:
    """The message stored under this key; None if it is gone."""
    try:
        return decode(await runtime.storage.get(key))
    except FileMissingError:
        return None
