"""Bounds on what a video may be."""

from dataclasses import dataclass

from media.errors import MediaLimitError

MAX_STREAMS = 64
"""Most streams a container may hold; films with many dubs and subtitles stay below 60."""


@dataclass(frozen=True)
class MediaLimits:
    """Bounds checked before anything is decoded."""

    max_duration_seconds: float = 24 * 3600
    max_width: int = 8192
    max_height: int = 8192
    max_pixels: int = 8192 * 8192
    """Width times height; what one decoded frame costs in memory follows from it."""
    max_frames: int = 20_000_000

    def check_size(self, width: int, height: int) -> None:
        """Raise `MediaLimitError` when a picture of this size is too large."""
        if width > self.max_width:
            raise MediaLimitError(
                "max_width",
                f"The video is {width} pixels wide; at most {self.max_width} are allowed. {_SMALLER}",
            )
        if height > self.max_height:
            raise MediaLimitError(
                "max_height",
                f"The video is {height} pixels high; at most {self.max_height} are allowed. {_SMALLER}",
            )
        if width * height > self.max_pixels:
            raise MediaLimitError(
                "max_pixels",
                f"A frame of the video has {width * height} pixels; at most {self.max_pixels} are allowed. "
                f"{_SMALLER}",
            )

    def check_duration(self, duration_seconds: float) -> None:
        """Raise `MediaLimitError` when the video lasts too long."""
        if duration_seconds > self.max_duration_seconds:
            raise MediaLimitError(
                "max_duration_seconds",
                f"The video lasts at least {duration_seconds:.0f} seconds; at most "
                f"{self.max_duration_seconds:.0f} are allowed. Cut it into shorter parts.",
            )

    def check_frame_count(self, frame_count: int) -> None:
        """Raise `MediaLimitError` when the video has too many frames."""
        if frame_count > self.max_frames:
            raise MediaLimitError(
                "max_frames",
                f"The video has more than {self.max_frames} frames. Cut it into shorter parts.",
            )


_SMALLER = "Scale it down first."
