"""What may be wrong with a media file, in words for the person who uploaded it."""

FORMATS_HINT = "Upload a video such as MP4, MOV, MKV, WebM, AVI or GIF."


class MediaError(Exception):
    """Raised when a file cannot be used; `str()` says to its owner what is wrong and what to do."""


class NotAVideoError(MediaError):
    """Raised when the file is something else: a document, an archive, a picture, a playlist."""


class NoVideoStreamError(MediaError):
    """Raised when the file is a media file without moving pictures."""


class TruncatedError(MediaError):
    """Raised when a part of the file is missing."""


class UndecodableError(MediaError):
    """Raised when the video is damaged, protected or coded in a way this server cannot read."""


class MediaLimitError(MediaError):
    """Raised when the video passes a limit.

    Args:
        limit: Field of `MediaLimits` that was passed.
        message: Sentence that names the limit and the value found.
    """

    def __init__(self, limit: str, message: str) -> None:
        super().__init__(message)
        self.limit = limit


class TimelineMismatchError(Exception):
    """Raised when a segment does not yield the frames its timeline promised.

    Not the uploader's fault: scan the timeline again, one `TimelineKind` further, and plan anew.
    """
