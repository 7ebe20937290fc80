"""Sentences and bounds that the checks share."""

from media.errors import TruncatedError, UndecodableError

MAX_STRUCTURES = 2_000_000
"""Structures walked through in one file before it counts as absurd."""
MAX_REMOTE_STRUCTURES = 500
"""Structures walked through when each may cost a request."""


def truncated(missing_bytes: int | None = None) -> TruncatedError:
    """A file that ends too early, by a known number of bytes or an unknown one."""
    amount = "" if missing_bytes is None else f" (bytes missing at its end: {missing_bytes} or more)"
    return TruncatedError(
        f"The file is incomplete{amount}. The copy, download or recording was cut off; get the whole file "
        "and upload it again."
    )


def absurd() -> UndecodableError:
    """A file whose structure cannot be meant."""
    return UndecodableError("The file's structure makes no sense: it is damaged. Export the video again.")


class StructureCounter:
    """Bounds how many structures of a file are looked at.

    Args:
        is_remote: Whether each may cost a request.
    """

    def __init__(self, is_remote: bool) -> None:
        self._is_remote = is_remote
        self._count = 0

    def goes_on(self) -> bool:
        """Count one more; False where a remote file has been looked at long enough.

        Raises:
            UndecodableError: If a local file holds absurdly many.
        """
        self._count += 1
        if self._is_remote:
            return self._count <= MAX_REMOTE_STRUCTURES
        if self._count > MAX_STRUCTURES:
            raise absurd()
        return True
