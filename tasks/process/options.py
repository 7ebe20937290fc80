"""What a worker fixes for all its analysis processes."""

from dataclasses import dataclass

from settings import Settings

_REPORTS_BEFORE_A_STALL = 4


@dataclass(frozen=True)
class ProcessOptions:
    """How analysis processes are run.

    Args:
        memory_bytes: Most memory that one may take.
        growth_bytes: One that grew by more since its first piece of work is replaced.
        max_jobs: Requests after which one is replaced.
        progress_interval_seconds: Least time between two progress messages.
        network: Whether they may open sockets.
        spares: Processes kept warm beyond those that work at once, so that one that ends is replaced at once.
    """

    memory_bytes: int
    growth_bytes: int
    max_jobs: int
    progress_interval_seconds: float
    network: bool
    spares: int = 1


def process_options(settings: Settings, network: bool) -> ProcessOptions:
    """As the settings say.

    Args:
        settings: Of the worker.
        network: Whether its files are read over the network; the settings may allow it besides.
    """
    return ProcessOptions(
        memory_bytes=settings.analysis_process_memory_bytes,
        growth_bytes=settings.analysis_process_growth_bytes,
        max_jobs=settings.analysis_process_max_jobs,
        progress_interval_seconds=min(
            settings.progress_interval_seconds, settings.stall_seconds / _REPORTS_BEFORE_A_STALL
        ),
        network=network or settings.analysis_process_network,
    )
