"""Clips that several tests of `media` look at, made once per test process."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import samples

Maker = Callable[[Path], Path]

CLIPS: dict[str, Maker] = {
    "plain.mp4": samples.make_plain,
    "plain.mkv": samples.make_plain,
    "plain.flv": samples.make_plain,
    "variable_rate.mp4": samples.make_variable_rate,
    "variable_rate.mkv": samples.make_variable_rate,
    "rotated_90.mp4": lambda path: samples.make_rotated(path, 90),
    "rotated_180.mov": lambda path: samples.make_rotated(path, 180),
    "rotated_270.mp4": lambda path: samples.make_rotated(path, -90),
    "mirrored.mp4": lambda path: samples.make_rotated(path, 0, mirrored=True),
    "odd_sized.mp4": samples.make_odd_sized,
    "odd_rotated.mp4": lambda path: samples.make_odd_sized(path, rotation_degrees=90),
    "b_frames.mp4": samples.make_b_frames,
    "b_frames.avi": samples.make_b_frames,
    "open_gop.mp4": lambda path: samples.make_b_frames(path, open_gop=True),
    "open_gop.mkv": lambda path: samples.make_b_frames(path, open_gop=True),
    "intra_refresh.mp4": samples.make_intra_refresh,
    "without_duration.mkv": samples.make_without_duration,
    "one_frame.mp4": samples.make_one_frame,
    "one_frame.gif": lambda path: samples.make_gif(path, frame_count=1),
    "animated.gif": samples.make_gif,
    "mpeg4.avi": samples.make_avi,
    "mpeg4_no_b_frames.avi": lambda path: samples.make_avi(path, b_frames=0),
    "stream.ts": samples.make_transport_stream,
    "open_gop.ts": lambda path: samples.make_transport_stream(path, open_gop=True),
    "vp9.webm": samples.make_vp9,
    "av1.webm": samples.make_av1,
    "av1.mp4": samples.make_av1,
    "hevc.mp4": samples.make_hevc,
    "hevc.ts": lambda path: samples.make_hevc(path, container="mpegts"),
    "edit_list.mp4": samples.make_with_edit_list,
    "start_offset.mp4": samples.make_with_start_offset,
    "start_offset.mkv": samples.make_with_start_offset,
    "audio_first.mp4": samples.make_audio_first,
    "audio_first.mkv": samples.make_audio_first,
    "yuv444.mp4": lambda path: samples.make_video(path, pixel_format="yuv444p"),
    "ten_bit.mp4": lambda path: samples.make_video(path, pixel_format="yuv420p10le"),
    "full_range.mp4": lambda path: samples.make_video(
        path, pixel_format="yuvj420p", color_range=samples.FULL_RANGE, colorspace=samples.BT601
    ),
    "bt709.mp4": lambda path: samples.make_video(
        path, color_range=samples.LIMITED_RANGE, colorspace=samples.BT709
    ),
    "fragmented.mp4": lambda path: samples.make_plain(
        path, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "mpeg2.mpg": lambda path: samples.make_video(path, codec="mpeg2video", codec_options={"bf": "2"}),
    "wmv2.wmv": lambda path: samples.make_video(path, codec="wmv2", codec_options={}),
    "two_streams.mp4": samples.make_two_video_streams,
    "second_stream.mkv": lambda path: samples.make_two_video_streams(path, default_index=1),
    "size_change.ts": samples.make_size_change,
    "size_change.mkv": samples.make_size_change,
    "raw.h264": samples.make_b_frames,
    "aac.mp4": lambda path: samples.make_video(path, audio_codec="aac"),
    "aac.ts": lambda path: samples.make_transport_stream(path, audio_codec="aac"),
    "opus.mkv": lambda path: samples.make_video(path, audio_codec="libopus"),
    "pcm.mkv": lambda path: samples.make_video(path, audio_codec="pcm_s16le"),
    "pcm.mov": lambda path: samples.make_video(path, audio_codec="pcm_s16le"),
}


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function from a name in `CLIPS` to the file, made when first asked for."""
    folder = tmp_path_factory.mktemp("clips")

    def get(name: str) -> Path:
        path = folder / name
        return path if path.exists() else CLIPS[name](path)

    return get
