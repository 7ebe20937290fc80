"""An analysis process for one request of a person, outside of the worker's pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from settings import Settings
from tasks.process.options import process_options
from tasks.process.process import AnalysisProcess


@asynccontextmanager
async def process_of_its_own(settings: Settings) -> AsyncIterator[AnalysisProcess]:
    """A new process, which may crash, hang or eat memory as it likes; it is ended at the end."""
    process = await AnalysisProcess.start(process_options(settings, network=False))
    try:
        yield process
    finally:
        await process.kill()
