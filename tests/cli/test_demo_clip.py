import av
import numpy as np

from cli.demo_clip import FRAME_COUNT, FRAMES_PER_SECOND, HEIGHT, WIDTH, demo_clip


def test_the_clip_is_a_video_with_several_key_frames_and_moves(tmp_path):
    path = demo_clip(tmp_path / "demo")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", WIDTH, HEIGHT)
        frames = list(container.decode(stream))
    assert len(frames) == FRAME_COUNT
    assert [round(frame.time * FRAMES_PER_SECOND) for frame in frames] == list(range(FRAME_COUNT))
    assert sum(frame.key_frame for frame in frames) >= 4
    first, middle = (frames[index].to_ndarray(format="gray").astype(int) for index in (0, FRAME_COUNT // 2))
    assert np.abs(first - middle).mean() > 10
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_clip_is_made_once(tmp_path):
    path = tmp_path / "grace_hopper.mp4"
    path.write_bytes(b"made before")
    assert demo_clip(tmp_path) == path
    assert path.read_bytes() == b"made before"
