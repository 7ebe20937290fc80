"""Files that are no video, or not a whole one: each gets its own sentence, quickly and in little memory."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from media.container import open_video
from media.errors import (
    MediaError,
    MediaLimitError,
    NotAVideoError,
    NoVideoStreamError,
    TruncatedError,
    UndecodableError,
)
from media.frames import read_frames
from media.probe import probe
from media.segments import plan_segments
from tests import broken_samples, samples
from tests.media.test_exactness import REAL_CLIPS


def write(content: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


NOT_VIDEOS: dict[str, tuple[Callable[[Path], Path], type[MediaError], str]] = {
    "empty": (write(b""), NotAVideoError, "empty"),
    "zeros": (write(bytes(100_000)), NotAVideoError, "zeros"),
    "noise": (write(bytes(range(255, 0, -1)) * 200), UndecodableError, "damaged"),
    "text": (broken_samples.make_text, NotAVideoError, "text document"),
    "unicode_text": (write("Ein schöner Tag. 日本語\n".encode() * 400), NotAVideoError, "text document"),
    "web_page": (write(b"<!DOCTYPE html><html><body>Sign in</body></html>"), NotAVideoError, "web page"),
    "zip": (broken_samples.make_encrypted_zip, NotAVideoError, "ZIP"),
    "pdf": (write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(500)), NotAVideoError, "PDF"),
    "png": (broken_samples.make_picture, NotAVideoError, "PNG"),
    "jpeg": (lambda path: broken_samples.make_picture(path, "jpg"), NotAVideoError, "JPEG"),
    "heic": (write(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)), NotAVideoError, "HEIC"),
    "webp": (write(b"RIFF\x20\0\0\0WEBPVP8 " + bytes(40)), NotAVideoError, "WebP"),
    "program": (write(b"MZ\x90\0" + bytes(500)), NotAVideoError, "program"),
}


@pytest.mark.parametrize("kind", NOT_VIDEOS)
def test_what_is_no_video_is_called_by_its_name(tmp_path: Path, kind: str) -> None:
    make, error, words = NOT_VIDEOS[kind]
    with pytest.raises(error, match=words):
        probe(make(tmp_path / "video.mp4"))


@pytest.mark.parametrize("name", ["sound.m4a", "sound.mp3", "sound.wav", "sound.mkv"])
def test_sound_alone_is_no_video(tmp_path: Path, name: str) -> None:
    codec = {".mp3": "libmp3lame", ".wav": "pcm_s16le"}.get(Path(name).suffix, "aac")
    with pytest.raises(NoVideoStreamError, match="only sound"):
        probe(samples.make_audio_only(tmp_path / name, codec))


@pytest.mark.parametrize("name", ["song.mp3", "song.mp4"])
def test_a_cover_picture_is_no_video(tmp_path: Path, name: str) -> None:
    with pytest.raises(NoVideoStreamError):
        probe(samples.make_audio_with_cover(tmp_path / name))


@pytest.mark.parametrize("name", [*REAL_CLIPS[:3], "gestures/book.mkv", "gestures/walk.mkv"])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_real_clips_cut_anywhere_are_incomplete(
    media_dir: Path, tmp_path: Path, name: str, tenths: int
) -> None:
    path = broken_samples.make_truncated(tmp_path / Path(name).name, media_dir / name, tenths)
    with pytest.raises(TruncatedError, match="incomplete"):
        probe(path)


@pytest.mark.parametrize(
    "name",
    [
        "plain.mkv",
        "without_duration.mkv",
        "vp9.webm",
        "mpeg4.avi",
        "animated.gif",
        "fragmented.mp4",
        "rotated_180.mov",
        "plain.flv",
        "wmv2.wmv",
    ],
)
@pytest.mark.parametrize("tenths", range(1, 10))
def test_made_clips_cut_anywhere_are_incomplete(
    clip: Callable[[str], Path], tmp_path: Path, name: str, tenths: int
) -> None:
    with pytest.raises(TruncatedError, match="incomplete"):
        probe(broken_samples.make_truncated(tmp_path / name, clip(name), tenths))


@pytest.mark.parametrize("name", ["stream.ts", "hevc.ts", "aac.ts"])
@pytest.mark.parametrize("rest", [1, 4, 100, 187])
def test_a_transport_stream_may_end_within_a_packet(
    clip: Callable[[str], Path], tmp_path: Path, name: str, rest: int
) -> None:
    whole = clip(name).read_bytes()
    path = tmp_path / "cut.ts"
    path.write_bytes(whole + whole[:rest])
    assert probe(path).frame_count == probe(clip(name)).frame_count
    path.write_bytes(whole[: len(whole) * 6 // 10 // 188 * 188 + rest])
    timeline = probe(path).timeline
    plans = plan_segments(timeline, target_seconds=0.3)
    frames = [frame.pts for plan in plans for frame in read_frames(path, plan, timeline.time_base)]
    assert frames == timeline.pts.tolist()
    assert 20 < len(frames) < probe(clip(name)).frame_count


def test_a_transport_stream_without_a_picture_is_refused(clip: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "cut.ts"
    path.write_bytes(clip("stream.ts").read_bytes()[: 188 * 5 + 100])
    with pytest.raises(MediaError):
        probe(path)


def test_mp4_with_its_index_first_is_missed_when_cut(clip: Callable[[str], Path], tmp_path: Path) -> None:
    whole = samples.make_plain(tmp_path / "whole.mp4", container_options={"movflags": "+faststart"})
    assert probe(whole).frame_count == 45
    path = tmp_path / "cut.mp4"
    path.write_bytes(whole.read_bytes()[:-1])
    with pytest.raises(TruncatedError, match="missing at its end: 1 "):
        probe(path)


@pytest.mark.parametrize("name", ["plain.mp4", "plain.mkv", "animated.gif", "mpeg4.avi"])
def test_junk_after_the_end_does_no_harm(clip: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(clip(name).read_bytes() + bytes(100))
    assert probe(path).frame_count == probe(clip(name)).frame_count


def make_huge_header(path: Path) -> Path:
    if path.suffix != ".y4m":
        return broken_samples.make_huge_header(path)
    path.write_bytes(b"YUV4MPEG2 W40000 H40000 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(1000))
    return path


@pytest.mark.parametrize("name", ["huge.mp4", "huge.mkv", "huge.avi", "huge.gif", "huge.y4m"])
def test_a_huge_claimed_size_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaLimitError, match="40000 pixels wide") as caught:
        probe(make_huge_header(tmp_path / name))
    assert caught.value.limit == "max_width"


def test_a_huge_claimed_number_of_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises((TruncatedError, MediaLimitError)):
        probe(broken_samples.make_huge_sample_table(tmp_path / "table.mp4"))


MEMORY_SCRIPT = """
import resource, sys
from media.errors import MediaError
from media.probe import probe
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        probe(path)
        print("accepted", path)
    except MediaError:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_absurd_claims_cost_no_memory(tmp_path: Path) -> None:
    paths = [
        broken_samples.make_huge_header(tmp_path / f"huge.{suffix}")
        for suffix in ("mp4", "mkv", "avi", "gif")
    ]
    paths.append(broken_samples.make_huge_sample_table(tmp_path / "table.mp4"))
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY_SCRIPT, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) < 64


@pytest.mark.parametrize("kind", ["hls", "concat", "sdp", "dash"])
@pytest.mark.parametrize("name", ["video.mp4", "video.m3u8", "video.ffconcat", "video.mpd"])
def test_files_that_point_to_other_files_are_refused(
    clip: Callable[[str], Path], tmp_path: Path, kind: str, name: str
) -> None:
    path = broken_samples.make_playlist(tmp_path / name, kind, str(clip("plain.mp4")))
    with pytest.raises(NotAVideoError):
        probe(path)
    with pytest.raises(MediaError), open_video(path):
        pass


def test_protected_video_is_called_so(clip: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "protected.mp4"
    path.write_bytes(clip("plain.mp4").read_bytes().replace(b"avc1\0\0\0\0\0\0", b"encv\0\0\0\0\0\0"))
    with pytest.raises(UndecodableError, match="copy-protected"):
        probe(path)


def test_pictures_that_do_not_decode_are_refused(clip: Callable[[str], Path], tmp_path: Path) -> None:
    content = bytearray(clip("mpeg4.avi").read_bytes())
    start = content.index(b"movi") + 4
    end = content.index(b"idx1")
    position = start
    while position < end:
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        content[position + 8 : position + 8 + size] = bytes(size)
        position += 8 + size + (size & 1)
    path = tmp_path / "blank.avi"
    path.write_bytes(content)
    with pytest.raises(UndecodableError):
        probe(path)


def test_a_missing_file_is_not_the_uploaders_fault(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "missing.mp4")


def test_every_sentence_is_for_a_person(tmp_path: Path) -> None:
    for kind, (make, error, _) in NOT_VIDEOS.items():
        with pytest.raises(error) as caught:
            probe(make(tmp_path / f"{kind}.mp4"))
        sentence = str(caught.value)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert str(tmp_path) not in sentence
        assert "Errno" not in sentence
