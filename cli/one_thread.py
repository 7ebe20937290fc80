"""What a process that computes does first, before it imports anything that makes threads."""

import os

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def keep_to_one_thread() -> None:
    """Have libraries of linear algebra use one thread, as in an analysis process."""
    os.environ.update(_ONE_THREAD)
