"""Which packets a decoder can start from and give, from there on, the same pixels as from the start."""

from collections.abc import Callable, Iterator

from av.video.stream import VideoStream

from media.container import VideoPacket

# Codecs whose packets marked as key frames refer to nothing before them. Others (GIF and APNG paint over
# the picture before; many old ones mark carelessly) are decoded from the start.
_MARKED_CODECS = frozenset(
    {
        *("vp8", "vp9", "av1", "theora"),
        *("mpeg1video", "mpeg2video", "mpeg4", "h263", "flv1", "vc1"),
        *("msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2", "wmv3"),
        *("mjpeg", "jpeg2000", "png", "qoi", "prores", "dnxhd", "cfhd", "dvvideo"),
        *("ffv1", "ffvhuff", "huffyuv", "utvideo", "v210", "rawvideo", "wrapped_avframe"),
    }
)

_H264_IDR, _H264_SEI, _H264_SLICES = 5, 6, (1, 2, 5)
_HEVC_RANDOM_ACCESS = range(16, 24)
_HEVC_SLICES = range(32)
_SEI_RECOVERY_POINT = 6


def random_access_test(stream: VideoStream) -> Callable[[VideoPacket], bool]:
    """A function that says whether decoding may start at a packet of `stream`.

    Containers also mark pictures that only begin a gradual refresh. For H.264 and HEVC the packet is
    therefore looked into: an IDR or other random access picture, or a recovery point that recovers at once.
    """
    codec = stream.codec_context.codec.canonical_name
    if codec == "h264":
        length_size = _avc_length_size(stream.codec_context.extradata)
        return lambda packet: packet.is_keyframe and _h264_starts_here(memoryview(packet), length_size)
    if codec == "hevc":
        length_size = _hevc_length_size(stream.codec_context.extradata)
        return lambda packet: packet.is_keyframe and _hevc_starts_here(memoryview(packet), length_size)
    if codec in _MARKED_CODECS:
        return lambda packet: packet.is_keyframe
    return lambda packet: False


def shows_picture(codec: str, packet: VideoPacket) -> bool:
    """Whether a packet yields a frame: VP8 stores reference pictures that are never shown as packets."""
    return codec != "vp8" or bool(bytes(memoryview(packet)[:1])[0] >> 4 & 1)


def _avc_length_size(extradata: bytes | None) -> int:
    if extradata and len(extradata) > 4 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    return 0


def _hevc_length_size(extradata: bytes | None) -> int:
    if extradata and len(extradata) > 21 and not extradata.startswith((b"\0\0\1", b"\0\0\0\1")):
        return (extradata[21] & 3) + 1
    return 0


def _units(data: memoryview, length_size: int) -> Iterator[memoryview]:
    """NAL units of a packet: length-prefixed, or after start codes when `length_size` is 0."""
    if not length_size:
        yield from _start_code_units(bytes(data))
        return
    position = 0
    while position + length_size < len(data):
        length = int.from_bytes(data[position : position + length_size], "big")
        position += length_size
        yield data[position : position + length]
        position += length


def _start_code_units(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    start = data.find(b"\0\0\1")
    while start >= 0:
        following = data.find(b"\0\0\1", start + 3)
        yield view[start + 3 : following if following >= 0 else len(data)]
        start = following


def _h264_starts_here(data: memoryview, length_size: int) -> bool:
    for unit in _units(data, length_size):
        if not unit:
            continue
        kind = unit[0] & 31
        if kind == _H264_SEI and _recovers_at_once(bytes(unit[1:])):
            return True
        if kind in _H264_SLICES:
            return kind == _H264_IDR
    return False


def _hevc_starts_here(data: memoryview, length_size: int) -> bool:
    for unit in _units(data, length_size):
        if unit and (kind := unit[0] >> 1 & 63) in _HEVC_SLICES:
            return kind in _HEVC_RANDOM_ACCESS
    return False


def _recovers_at_once(payload: bytes) -> bool:
    """Whether an SEI unit holds a recovery point whose frame count is 0 (H.264, D.1.8)."""
    position = 0
    while position + 2 < len(payload):
        kind, position = _sei_number(payload, position)
        size, position = _sei_number(payload, position)
        if kind == _SEI_RECOVERY_POINT and position < len(payload):
            return bool(payload[position] & 0x80)  # ue(v) 0 is the single bit 1
        position += size
    return False


def _sei_number(payload: bytes, position: int) -> tuple[int, int]:
    value = 0
    while position < len(payload) and payload[position] == 255:
        value += 255
        position += 1
    if position < len(payload):
        value += payload[position]
    return value, position + 1
