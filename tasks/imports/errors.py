"""What goes wrong when a video is fetched from a URL; the messages are for the person who gave it."""


class ImportFailedError(Exception):
    """The base: the file did not come.

    Args:
        message: A sentence that says why.
    """

    is_final = True
    """Whether a second try cannot mend it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AddressRefusedError(ImportFailedError):
    """Raised when a URL, or what its name stands for, is none that this server fetches from."""


class NotFetchedError(ImportFailedError):
    """Raised when the other server has no such file for us, or one that is too large."""


class TransferBrokenError(ImportFailedError):
    """Raised when the other server or the way there failed; later it may work."""

    is_final = False
