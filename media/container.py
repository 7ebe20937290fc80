"""Opening a media file with PyAV: nothing but known video formats, no file but the one named."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from media.errors import FORMATS_HINT, MediaError, NotAVideoError, NoVideoStreamError, UndecodableError
from media.file_faults import is_file_fault, is_remote
from media.limits import MAX_STREAMS

# Demuxers that read pictures and sound out of the one file they are given. Playlists (hls, dash, concat),
# picture sequences, session descriptions and subtitles, which name other files, are left out on purpose.
ALLOWED_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "flv",
    "asf",
    "ogg",
    "gif",
    "apng",
    "h264",
    "hevc",
    "m4v",
    "ivf",
    "obu",
    "mxf",
    "dv",
    "rm",
    "nut",
    "wtv",
    "amv",
    "yuv4mpegpipe",
    # Sound: opened only to say that there is no picture in it.
    "mp3",
    "wav",
    "flac",
    "aac",
)
REMOTE_PROTOCOLS = "http,https,tcp,tls"
REMOTE_TIMEOUT_SECONDS = 30.0
PROBE_BYTES = 20_000_000
"""How far to look for the parameters of every stream; FFmpeg's 5 MB miss video that starts late."""
ANALYZE_MICROSECONDS = 20_000_000

_NO_PICTURE = (
    Disposition.attached_pic
    | Disposition.timed_thumbnails
    | Disposition.still_image
    | Disposition.non_diegetic
)

if TYPE_CHECKING:
    VideoPacket: TypeAlias = Packet[VideoStream]
else:  # generic in PyAV's type stubs only
    VideoPacket = Packet


@dataclass(frozen=True)
class OpenVideo:
    """An open container and the video stream that counts."""

    container: InputContainer
    stream: VideoStream
    time_base: Fraction
    """Seconds a tick of the stream's times."""
    on_packet: Callable[[], None] | None = None
    """Called for each packet read."""

    @property
    def ticks_per_second(self) -> float:
        """Of the stream's times."""
        return float(1 / self.time_base)


@contextmanager
def open_video(
    source: str | Path,
    *,
    thread_count: int = 1,
    max_pixels: int | None = None,
    on_packet: Callable[[], None] | None = None,
) -> Iterator[OpenVideo]:
    """Open `source` and choose its video stream; no other stream is read.

    Args:
        source: Path, or http(s) URL that this server made itself.
        thread_count: Threads of the decoder.
        max_pixels: Larger pictures are refused by the decoder before it allocates them.
        on_packet: Called for each packet read, as a sign of life.

    Raises:
        MediaError: If the file is no video that can be read.
        OSError: If `source` cannot be reached.
    """
    codec_options = {} if max_pixels is None else {"max_pixels": str(max_pixels)}
    with open_container(source, codec_options) as container:
        stream = choose_video_stream(container)
        stream.thread_type = "AUTO"
        stream.thread_count = thread_count
        if codec_options:
            stream.codec_context.options = codec_options
        discard_all_but(container, stream)
        yield OpenVideo(container, stream, stream.time_base or Fraction(1), on_packet)


def discard_all_but(container: InputContainer, stream: VideoStream | AudioStream) -> None:
    """Let the demuxer pass over every stream but `stream`."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all


@contextmanager
def open_container(
    source: str | Path, codec_options: dict[str, str] | None = None
) -> Iterator[InputContainer]:
    """Open `source` with what is safe for a stranger's file; errors as for `open_video`."""
    options = {
        "format_whitelist": ",".join(ALLOWED_FORMATS),
        "max_streams": str(MAX_STREAMS),
        "probesize": str(PROBE_BYTES),
        "analyzeduration": str(ANALYZE_MICROSECONDS),
    }
    timeout = None
    if is_remote(source):
        name = str(source)
        options |= {"protocol_whitelist": REMOTE_PROTOCOLS}
        options |= {"reconnect": "1", "reconnect_on_network_error": "1"}
        timeout = REMOTE_TIMEOUT_SECONDS
    else:
        # The prefix keeps names with a colon from being taken for a protocol.
        name = f"file:{Path(source).absolute()}"
        options["protocol_whitelist"] = "file"
    try:
        container = av.open(
            name,
            "r",
            options=codec_options or {},
            container_options=options,
            metadata_errors="replace",
            timeout=timeout,
        )
    except av.error.FFmpegError as error:
        if not is_file_fault(error, name):
            raise
        raise _opening_error(error) from error
    with container:
        yield container


def _opening_error(error: Exception) -> MediaError:
    if isinstance(error, av.error.ArgumentError):
        # What FFmpeg answers when the format is known but not among the allowed ones.
        return NotAVideoError(f"The file is not in a video format that this server reads. {FORMATS_HINT}")
    return UndecodableError(
        f"The file cannot be read as a video: it is damaged or not a video at all. {FORMATS_HINT}"
    )


def choose_video_stream(container: InputContainer) -> VideoStream:
    """The stream a player would show: the first one marked as default, else the first one.

    Cover art and other still pictures that containers call video streams do not count.

    Raises:
        NoVideoStreamError: If there is none.
        UndecodableError: If there is one, but no decoder for it.
    """
    if len(container.streams) > MAX_STREAMS:
        raise UndecodableError(
            f"The file has {len(container.streams)} streams; at most {MAX_STREAMS} are allowed. "
            "Export it with its video and sound only."
        )
    streams = [stream for stream in container.streams.video if not stream.disposition & _NO_PICTURE]
    if not streams:
        raise NoVideoStreamError(f"The file has no video in it, only sound or other data. {FORMATS_HINT}")
    readable = [stream for stream in streams if stream.codec_context is not None and stream.time_base]
    if not readable:
        raise UndecodableError(
            "The video is coded in a format that this server cannot decode. Convert it to MP4 (H.264) first."
        )
    marked = [stream for stream in readable if stream.disposition & Disposition.default]
    return (marked or readable)[0]


def demux(video: OpenVideo) -> Iterator[VideoPacket]:
    """Packets of the video stream that hold data, in stored order."""
    return cast(Iterator[VideoPacket], demux_stream(video.container, video.stream, video.on_packet))


def demux_stream(
    container: InputContainer,
    stream: VideoStream | AudioStream,
    on_packet: Callable[[], None] | None = None,
) -> "Iterator[Packet[Stream]]":
    """Packets of `stream` that hold data, in stored order.

    Reading ends quietly where the container is damaged: what lies before it still counts. (PyAV raises
    IndexError at the end of a container in which streams appeared on the way.)
    """
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except IndexError:
            return
        except av.error.FFmpegError as error:
            if not is_file_fault(error, container.name):
                raise
            return
        if packet is None:
            return
        if on_packet is not None:
            on_packet()
        if packet.size:
            yield packet


def decode_packet(stream: VideoStream, packet: VideoPacket | None) -> list[VideoFrame]:
    """Frames that `packet` completes, the last ones for None; a damaged packet gives none."""
    try:
        return stream.decode(packet)
    except av.error.FFmpegError:  # decoders read nothing but the packet
        return []
