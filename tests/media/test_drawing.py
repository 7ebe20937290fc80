import numpy as np
import pytest

from media.drawing import Canvas, OverlayBox, draw_boxes
from media.text import text_mask


def blank(height: int = 360, width: int = 640) -> Canvas:
    half = ((height + 1) // 2, (width + 1) // 2)
    return Canvas(
        np.full((height, width), 90, np.uint8),
        np.full(half, 128, np.uint8),
        np.full(half, 128, np.uint8),
        (0.299, 0.114),
    )


def drawn(box: OverlayBox, height: int = 360, width: int = 640) -> np.ndarray:
    canvas = blank(height, width)
    draw_boxes(canvas, [box])
    return canvas.luma != 90


def test_the_label_sits_on_the_box() -> None:
    mask = drawn(OverlayBox(100, 100, 300, 250, "face", 0.93, 3))
    rows, columns = np.nonzero(mask)
    assert 70 < rows.min() < 95
    assert columns.min() in (99, 100)
    assert mask[90:100, 104:140].mean() > 0.8


@pytest.mark.parametrize("corner", [(0, 0), (600, 0), (0, 340), (620, 350), (-50, -50), (700, 400)])
def test_labels_stay_inside_the_picture(corner: tuple[float, float]) -> None:
    x, y = corner
    mask = drawn(OverlayBox(x, y, x + 40, y + 20, "a long label indeed", 0.5, 12))
    assert mask.sum() > 150 * 10


def test_box_and_pill_have_one_colour() -> None:
    for track in range(20):
        canvas = blank(720, 1280)
        draw_boxes(canvas, [OverlayBox(101, 101, 301, 251, "face", 0.93, track)])
        for plane, scale in ((canvas.luma, 1), (canvas.blue, 2), (canvas.red, 2)):
            line, pill = int(plane[180 // scale, 100 // scale]), int(plane[90 // scale, 104 // scale])
            assert abs(line - pill) <= 1


@pytest.mark.parametrize(("height", "thickness"), [(180, 1.6), (720, 2.4), (1080, 3.6), (2160, 7.2)])
def test_lines_grow_with_the_picture(height: int, thickness: float) -> None:
    width = height * 16 // 9
    canvas = blank(height, width)
    draw_boxes(canvas, [OverlayBox(width * 0.25, height * 0.25, width * 0.5, height * 0.75, "x", 1.0)])
    change = np.abs(canvas.luma[height * 3 // 5, : width * 3 // 8].astype(int) - 90)
    color = abs(int(canvas.luma[height // 4 - 5, width // 4 + 1]) - 90)
    assert change.sum() / color == pytest.approx(thickness, abs=0.2)


def test_tracks_have_colours_of_their_own() -> None:
    colors = set()
    for track in range(40):
        canvas = blank()
        draw_boxes(canvas, [OverlayBox(100, 100, 300, 250, "face", 0.93, track)])
        colors.add((canvas.luma[180, 100], canvas.blue[90, 50], canvas.red[90, 50]))
    assert len(colors) > 35


def test_a_track_keeps_its_colour() -> None:
    def color(box: OverlayBox) -> tuple[int, int]:
        canvas = blank()
        draw_boxes(canvas, [box])
        return int(canvas.blue[90, 50]), int(canvas.red[90, 50])

    assert color(OverlayBox(100, 100, 300, 250, "a", 0.9, 5)) == color(
        OverlayBox(100, 100, 200, 250, "b", 0.1, 5)
    )


def test_what_has_no_track_is_grey_with_dark_letters_and_no_track_is() -> None:
    def draw(track_id: int | None, label: str) -> Canvas:
        canvas = blank(720, 1280)
        draw_boxes(canvas, [OverlayBox(101, 101, 301, 251, label, 0.93, track_id)])
        return canvas

    for label in ("face", "person"):
        canvas = draw(None, label)
        assert (canvas.blue == 128).all()
        assert (canvas.red == 128).all()
        pill = canvas.luma[80:99, 104:160]
        assert np.median(pill) == canvas.luma[180, 101] == 200
        assert pill.min() < 60
    for track in range(100):
        canvas = draw(track, "face")
        assert max(abs(int(plane[90, 50]) - 128) for plane in (canvas.blue, canvas.red)) > 25


@pytest.mark.parametrize(
    "text", ["person", "Überwachung", "лицо", "πρόσωπο", "人", "", "line\nbreak\x00", "🙂"]
)
def test_any_text_can_be_rendered(text: str) -> None:
    mask = text_mask(text, 16)
    assert mask.shape[0] == text_mask("x", 16).shape[0]
    assert bool(mask.any()) is bool(text)


def test_letters_of_other_scripts_are_letters() -> None:
    assert not np.array_equal(text_mask("л", 16), text_mask("ж", 16))
    assert not np.array_equal(text_mask("ü", 16), text_mask("u", 16))
