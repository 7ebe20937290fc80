"""What goes wrong with an upload."""


class MultipartError(Exception):
    """Raised when a multipart request cannot be taken; nothing of it is kept.

    Args:
        status: The HTTP status to answer with.
        message: What is wrong, for the person who wrote the client or sent the file.
        limit: The name of the limit that is passed, if it is about one.
    """

    def __init__(self, status: int, message: str, limit: str | None = None) -> None:
        super().__init__(message if limit is None else f"{message} (limit: {limit})")
        self.status = status
        self.message = str(self)
        self.limit = limit
