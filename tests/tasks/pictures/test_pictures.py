"""Pictures of drawn analyses: what they show is where it must be, and they are the same each time."""

import cv2
import numpy as np
import pytest

from domain.analyses.files import PICTURE_FILES
from tasks.counting.record import count_tracks
from tasks.pictures.canvas import INK, PALETTE, Canvas, shortened, text_width
from tasks.pictures.draw import draw_pictures
from tasks.pictures.page import HEAD_HEIGHT, MARGIN
from tasks.pictures.trajectories import MAX_TRACKS
from tests.tasks.tables import tracked

WIDTH, HEIGHT = 640, 360
SCALE = 2
"""Frames of 640 pixels are drawn 1280 wide."""
FILES = {kind.value: name for kind, name in PICTURE_FILES.items()}
SHAPES = {
    "lines": [{"name": "door", "start": (0.5, 1.0), "end": (0.5, 0.0)}],
    "zones": [{"name": "門口", "points": ((0.1, 0.2), (0.4, 0.2), (0.4, 0.9), (0.1, 0.9))}],
}


def walking(frames=60, tracks=2, labels=("person", "dog")):
    """Things that walk from left to right at different heights; boxes are 20 wide and 40 high."""
    found = []
    for frame in range(frames):
        things = []
        for track_id in range(1, tracks + 1):
            x, y = 20 + frame * 600 / frames, 60 + 280 * track_id / (tracks + 1)
            things.append((labels[track_id % len(labels)], 0.9, (x - 10, y - 40, x + 10, y), track_id))
        found.append((frame, frame / 10, things))
    return tracked(found)


def summary_of(table, tracker="BYTE_TRACK"):
    rows = table.detections.to_pylist()
    tracks: dict[int, dict] = {}
    counts: dict[str, dict] = {}
    for row in rows:
        count = counts.setdefault(row["label"], {"label": row["label"], "detections": 0, "tracks": 0})
        count["detections"] += 1
        if row["track_id"] is None:
            continue
        if row["track_id"] not in tracks:
            count["tracks"] += 1
        track = tracks.setdefault(
            row["track_id"], {"trackId": row["track_id"], "label": row["label"], "detectionCount": 0}
        )
        track["detectionCount"] += 1
        track["lastSeconds"] = row["timestamp_seconds"]
    return {
        "video": {"filename": "walk.mp4"},
        "settings": {"tracker": tracker},
        "counts": list(counts.values()),
        "tracks": [tracks[track_id] for track_id in sorted(tracks)],
    }


def draw(folder, table, *, shapes=None, tracker="BYTE_TRACK", size=(WIDTH, HEIGHT), shade=128):
    folder.mkdir(exist_ok=True)
    summary = summary_of(table, tracker)
    if shapes is not None:
        last = {track["trackId"]: track["lastSeconds"] for track in summary["tracks"]}
        summary["counting"] = count_tracks([table], shapes, *size, last)
    image = np.full((size[1], size[0], 3), shade, np.uint8)
    draw_pictures(folder, FILES, [table], summary, shapes, lambda start, end: image, size)
    return {kind: cv2.imread(str(folder / name)) for kind, name in FILES.items()}


def pixel(picture, x, y):
    """Red, green, blue at a place of the frame in a picture over it, given in pixels of boxes."""
    return tuple(picture[HEAD_HEIGHT + round(y * SCALE), MARGIN + round(x * SCALE)][::-1].tolist())


def test_heat_is_where_things_were(tmp_path):
    still = tracked([(frame, frame / 10, [("person", 0.9, (100, 100, 160, 200), 1)]) for frame in range(10)])
    picture = draw(tmp_path, still)["HEAT_MAP"]
    red, green, blue = pixel(picture, 130, 150)
    assert red > 150
    assert red > blue
    red, green, blue = pixel(picture, 400, 150)
    assert red == green == blue, "untouched, without colours"


def test_ways_have_the_colours_of_their_labels(tmp_path):
    picture = draw(tmp_path, walking())["TRAJECTORIES"]
    assert pixel(picture, 320, 60 + 280 / 3) == PALETTE[0]
    assert pixel(picture, 320, 60 + 280 * 2 / 3) == PALETTE[1]
    red, green, blue = pixel(picture, 320, 30)
    assert red == green == blue


def test_the_timeline_shows_when(tmp_path):
    late = [
        (frame, frame / 10, [("person", 0.9, (0, 0, 9, 9), 1)] if 25 <= frame < 75 else [])
        for frame in range(101)
    ]
    picture = draw(tmp_path, tracked(late))["TIMELINE"]
    row = picture[HEAD_HEIGHT + 10]
    blue = np.flatnonzero((row == np.array(PALETTE[0][::-1])).all(axis=1))
    left = blue[0] - 250
    assert len(blue) == pytest.approx(490, abs=3), "49 of 100 intervals, of 1000 columns"
    assert (picture[HEAD_HEIGHT + 10, left : left + 200] != np.array(PALETTE[0][::-1])).any(axis=1).all()


def test_lines_and_zones_are_drawn_with_their_counts(tmp_path):
    plain = draw(tmp_path / "plain", walking(tracks=4))
    counted = draw(tmp_path / "counted", walking(tracks=4), shapes=SHAPES)
    assert (plain["HEAT_MAP"] == counted["HEAT_MAP"]).all()
    assert pixel(counted["TRAJECTORIES"], 320, 300) == (255, 255, 255)
    assert counted["TIMELINE"].shape[0] == plain["TIMELINE"].shape[0] + 2 * 44


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((320, 180), (1328, 720)),
        ((1080, 1920), (768, 1280)),
        ((3840, 2160), (1328, 720)),
        ((2, 2), (1328, 1280)),
    ],
)
def test_any_size_of_frame(size, expected, tmp_path):
    pictures = draw(tmp_path, walking(tracks=1), size=size)
    height, width = pictures["TRAJECTORIES"].shape[:2]
    assert width == expected[0]
    assert height > expected[1] + HEAD_HEIGHT


@pytest.mark.parametrize("tracks", [0, 1, 41, 300])
def test_any_number_of_tracks(tracks, tmp_path):
    """Memory and size are bounded: the longest ways, a row for each label."""
    labels = [f"label {number} with a long name that has to be cut off somewhere" for number in range(40)]
    pictures = draw(tmp_path, walking(8, tracks, labels), shapes=SHAPES)
    assert all(picture.shape[0] < 1400 for picture in pictures.values())
    assert all(picture.shape[1] < 1500 for picture in pictures.values())
    assert MAX_TRACKS < 300


def test_without_a_tracker_and_without_frames(tmp_path):
    loose = tracked([(0, 0.0, [("face", 0.9, (1.0, 2.0, 30.0, 40.0), None)]), (1, 0.1, [])])
    assert set(draw(tmp_path, loose, tracker="NONE")) == set(FILES)
    assert set(draw(tmp_path, tracked([]), tracker="NONE")) == set(FILES)


def test_boxes_over_the_edge_are_cut_off(tmp_path):
    wild = tracked([(0, 0.0, [("face", 0.9, (-50.0, -20.0, 9000.0, 9000.0), 1)])])
    red, _, blue = pixel(draw(tmp_path, wild)["HEAT_MAP"], 300, 200)
    assert red > blue


def test_the_same_bytes_each_time(tmp_path):
    written = []
    for number in range(2):
        draw(tmp_path / str(number), walking(), shapes=SHAPES)
        written.append([(tmp_path / str(number) / name).read_bytes() for name in FILES.values()])
    assert written[0] == written[1]


def test_ways_of_any_length_keep_their_ends(tmp_path):
    picture = draw(tmp_path, walking(frames=5000, tracks=1))["TRAJECTORIES"]
    y = 60 + 280 / 2
    assert pixel(picture, 20 + 4999 * 600 / 5000, y) == PALETTE[0], "the dot at the end"
    assert pixel(picture, 20, y) == INK, "the ring at the beginning"


def test_texts_stay_inside_and_are_cut_off():
    canvas = Canvas.blank(200, 40)
    canvas.text("far too long for this picture, by any measure", 190, 39, 16)
    assert shortened("short", 15, 500) == "short"
    cut = shortened("a name that is long", 15, 80)
    assert cut.endswith("…")
    assert text_width(cut, 15) <= 80
