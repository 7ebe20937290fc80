"""Whose fault it is when reading fails: the file's (a sentence for its owner) or the machine's (its error)."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from media.container import decode_packet, demux
from media.errors import MediaError
from media.file_faults import is_file_fault
from media.probe import probe
from media.timeline import scan_timeline
from tests import samples

OPENING = (errno.EPERM, errno.EBUSY, errno.EIO, errno.ENOENT, errno.EACCES)
MACHINES = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT, errno.ESTALE)
NETWORKS = (errno.EIO, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE, errno.EHOSTUNREACH)


def system_error(number: int, name: str) -> av.error.FFmpegError:
    with pytest.raises(av.error.FFmpegError) as caught:
        av.error.err_check(-number, name)
    return caught.value


@pytest.mark.parametrize("size", [(40000, 40000), (64, 64)])
def test_pictures_that_ffmpeg_refuses_are_no_system_error(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "big.y4m"
    path.write_bytes(b"YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420jpeg\nFRAME\n" % size + bytes(1000))
    with pytest.raises(MediaError) as caught:
        scan_timeline(path)
    assert str(tmp_path) not in str(caught.value)
    assert "Errno" not in str(caught.value)


@pytest.mark.parametrize("number", [*OPENING, errno.EINVAL, errno.ENOMEM, *MACHINES])
def test_a_readable_file_is_blamed_for_what_ffmpeg_says_of_it(
    clip: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(name: str, *args: object, **options: object) -> None:
        raise system_error(number, name)

    path = clip("plain.mp4")
    monkeypatch.setattr(av, "open", refuse)
    expected = OSError if number in MACHINES else MediaError
    with pytest.raises(expected) as caught:
        probe(path)
    assert (str(path) in str(caught.value)) is (expected is OSError)


@pytest.mark.parametrize("number", [*OPENING, *MACHINES])
def test_what_cannot_be_read_is_not_blamed(tmp_path: Path, number: int) -> None:
    for path in (tmp_path / "missing.mp4", tmp_path):
        assert not is_file_fault(system_error(number, f"file:{path}"), f"file:{path}")


@pytest.mark.parametrize("number", [*NETWORKS, *MACHINES])
def test_the_network_is_not_the_uploaders_fault(number: int) -> None:
    source = "http://127.0.0.1:1/video.mp4"
    assert not is_file_fault(system_error(number, source), source)
    assert is_file_fault(system_error(errno.EBUSY, source), source)


def test_an_unreachable_server_is_not_the_uploaders_fault() -> None:
    with pytest.raises(OSError, match="refused"):
        probe("http://127.0.0.1:1/video.mp4")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_not_the_uploaders_fault(tmp_path: Path) -> None:
    path = samples.make_plain(tmp_path / "video.mp4")
    path.chmod(0)
    with pytest.raises(PermissionError):
        probe(path)


def test_reading_ends_quietly_only_where_the_file_is_at_fault(clip: Callable[[str], Path]) -> None:
    class Container:
        name = f"file:{clip('plain.mp4')}"

        def __init__(self, error: Exception) -> None:
            self.error = error

        def demux(self, stream: object) -> object:
            raise self.error
            yield

    class Video:
        stream = None
        on_packet = None

        def __init__(self, number: int) -> None:
            self.container = Container(system_error(number, Container.name))

    assert list(demux(Video(errno.EBUSY))) == []  # type: ignore[arg-type]
    with pytest.raises(OSError, match="No space"):
        list(demux(Video(errno.ENOSPC)))  # type: ignore[arg-type]


def test_a_decoder_that_refuses_a_packet_gives_no_frames() -> None:
    class Stream:
        def decode(self, packet: object) -> None:
            raise system_error(errno.EBUSY, "")

    assert decode_packet(Stream(), None) == []  # type: ignore[arg-type]
