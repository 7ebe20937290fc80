"""Small files that are no good videos: cut off, something else under a video's name, or lying about their size."""

import io
import struct
import zipfile
from pathlib import Path

import av

from tests.samples import frame_image, make_gif, make_plain, make_video


def make_truncated(path: Path, source: Path, tenths: int) -> Path:
    """The first `tenths` tenths of `source`."""
    content = source.read_bytes()
    path.write_bytes(content[: len(content) * tenths // 10])
    return path


def make_text(path: Path) -> Path:
    """Prose under a video's name."""
    path.write_text("Once upon a time there was a file that was no video.\n" * 40, encoding="utf-8")
    return path


def make_encrypted_zip(path: Path) -> Path:
    """A zip archive whose one entry is marked encrypted."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("holiday.mp4", bytes(range(256)) * 64)
    content = bytearray(buffer.getvalue())
    content[6] |= 1
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 8] |= 1
    path.write_bytes(bytes(content))
    return path


def make_picture(path: Path, file_format: str = "png") -> Path:
    """A still picture: "png" or "jpg"."""
    picture = path.with_suffix(f".picture.{file_format}")
    av.VideoFrame.from_ndarray(frame_image(5, 96, 64), format="rgb24").save(picture)
    picture.replace(path)
    return path


def make_huge_header(path: Path, width: int = 40_000, height: int = 40_000) -> Path:
    """A file of some kilobytes whose header claims a huge picture; MP4, GIF, AVI or MKV by its name."""
    if path.suffix == ".gif":
        content = bytearray(make_gif(path, frame_count=2).read_bytes())
        content[6:10] = struct.pack("<HH", width, height)
    elif path.suffix == ".avi":
        make_video(path, codec="rawvideo", pixel_format="bgr24", codec_options={}, frame_count=2)
        content = bytearray(path.read_bytes())
        header = content.index(b"strf") + 8
        content[header + 4 : header + 12] = struct.pack("<ii", width, height)
    elif path.suffix == ".mkv":
        content = bytearray(make_plain(path, frame_count=2, width=400, height=300).read_bytes())
        content = content.replace(b"\xb0\x82\x01\x90", b"\xb0\x82" + struct.pack(">H", width))
        content = content.replace(b"\xba\x82\x01\x2c", b"\xba\x82" + struct.pack(">H", height))
    else:
        content = bytearray(make_plain(path, frame_count=2).read_bytes())
        entry = content.index(b"avc1", content.index(b"stsd"))
        content[entry + 28 : entry + 32] = struct.pack(">HH", width, height)
        track = content.index(b"tkhd") + 4
        content[track + 76 : track + 84] = struct.pack(">II", width << 16, height << 16)
    path.write_bytes(bytes(content))
    return path


def make_huge_sample_table(path: Path, sample_count: int = 400_000_000) -> Path:
    """An MP4 of some kilobytes whose sample table claims hundreds of millions of frames."""
    content = bytearray(make_plain(path, frame_count=2).read_bytes())
    table = content.index(b"stsz") + 4
    content[table + 4 : table + 12] = struct.pack(">II", 1, sample_count)
    path.write_bytes(bytes(content))
    return path


def make_playlist(path: Path, kind: str, target: str) -> Path:
    """A file that tells FFmpeg to open `target`: kind "hls", "concat", "sdp" or "dash"."""
    texts = {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "sdp": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=tool:{target}\n"
        "m=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT10S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        f"<Period><AdaptationSet><Representation id='1' mimeType='video/mp4'><BaseURL>{target}</BaseURL>"
        "</Representation></AdaptationSet></Period></MPD>\n",
    }
    path.write_text(texts[kind], encoding="utf-8")
    return path
