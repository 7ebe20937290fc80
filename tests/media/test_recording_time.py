from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest

from media.probe import probe
from media.recording_time import recording_time


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2019-07-14T10:11:12.000000Z", datetime(2019, 7, 14, 10, 11, 12, tzinfo=UTC)),
        ("2019-07-14 10:11:12", datetime(2019, 7, 14, 10, 11, 12, tzinfo=UTC)),
        ("2019-07-14T01:00:00+0200", datetime(2019, 7, 13, 23, tzinfo=UTC)),
        ("2019-07-14", datetime(2019, 7, 14, tzinfo=UTC)),
        ("1904-01-01T00:00:00.000000Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("1980-01-01T00:00:10Z", None),
        ("9999-12-31T23:59:59-1200", None),
        ("2190-01-01T00:00:00Z", None),
        ("2019-02-30", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_only_plausible_times_count(written: str, expected: datetime | None) -> None:
    assert recording_time({"creation_time": written}) == expected


def test_the_streams_own_time_is_found_where_the_container_has_none() -> None:
    found = recording_time(
        {"creation_time": "1904-01-01T00:00:00Z"}, {"creation_time": "2001-02-03T04:05:06Z"}
    )
    assert found == datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_the_probe_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "dated.mp4"
    with av.open(str(path), "w") as container:
        container.metadata["creation_time"] = "2011-12-13T14:15:16Z"
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade * 40, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert probe(path).recorded_at == datetime(2011, 12, 13, 14, 15, 16, tzinfo=UTC)
