"""What goes wrong with an upload."""


class MultipartError(Exception):
    """Raised when a multipart request cannot be taken; nothing of it is kept.

    Args:
        status: The HTTP status to answer with.
        message: What is wrong, for the person who wrote the client or sent the file.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
