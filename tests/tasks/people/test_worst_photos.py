"""The worst photos get the right answer."""

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from domain.errors import ErrorCode
from tests import photos
from tests.tasks.people.searching import NAMES, searched_people

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("worst_photos")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def searched(tmp_path_factory, media_dir, weights_dir):
    async with searched_people(tmp_path_factory.mktemp("photos"), media_dir, weights_dir) as made:
        yield made


async def test_every_kind_of_photo_is_understood(searched, media_dir):
    obama = photos.opened(media_dir / "obama.jpg")
    small = obama.resize((160, 200))
    grey = np.asarray(obama.convert("L"), np.float32)
    kinds = {
        "another photo of him": (media_dir / "obama-720p.jpg").read_bytes(),
        "PNG": photos.encoded(obama, "PNG"),
        "WebP": photos.encoded(obama, "WEBP"),
        "AVIF": photos.encoded(obama, "AVIF"),
        "BMP": photos.encoded(obama, "BMP"),
        "TIFF, packed": photos.encoded(obama, "TIFF", compression="tiff_deflate"),
        "JPEG 2000": photos.encoded(obama, "JPEG2000"),
        "CMYK": photos.encoded(obama.convert("CMYK")),
        "grey": photos.encoded(obama.convert("L")),
        "16 bits of grey": photos.encoded(photos.deep_grey(obama), "PNG"),
        "fractions of grey": photos.encoded(Image.fromarray(grey / 255), "TIFF"),
        "a palette": photos.encoded(obama.convert("P"), "PNG"),
        "see-through": photos.encoded(photos.see_through(obama), "PNG"),
        "a moving GIF": photos.animated(obama, "GIF"),
        "a moving WebP": photos.animated(obama, "WEBP"),
        "a moving PNG": photos.animated(obama, "PNG"),
        "far away": photos.encoded(photos.on_ground(small, (4000, 3000), (3000, 2000))),
        "huge": photos.encoded(obama.resize((4800, 6000)), quality=50),
        "so near that the face fills it": photos.encoded(obama.crop((150, 35, 263, 180)).resize((800, 1000))),
        **{f"turned, {tag}": photos.turned(obama, tag) for tag in range(1, 9)},
    }
    got = {kind: await searched.best(data) for kind, data in kinds.items()}
    assert got == dict.fromkeys(kinds, ("obama", 1, 0))


async def test_tilted_faces_are_recognised(searched, media_dir):
    same = 0.8  # 0.35 is what the model takes for the same person
    turned = [(name, degrees, 480) for name in NAMES for degrees in (-40, -20, 30, 40)]
    for name, degrees, side in (*turned, ("biden", 90, 1280), ("miranda", 180, 480)):
        image = photos.rotated(photos.opened(media_dir / NAMES[name], side), degrees)
        first = (await searched.search(photos.encoded(image))).matches[0]
        assert searched.names[first.person_id] == name, (name, degrees)
        assert first.similarity > same, (name, degrees)


async def test_boxes_of_a_photo_that_was_turned_are_those_of_the_photo_as_given(searched, media_dir):
    images = [photos.opened(media_dir / NAMES[name]) for name in ("obama", "biden")]
    row = photos.rotated(photos.side_by_side(images), 35)
    upright = await searched.search(photos.encoded(photos.side_by_side(images)))
    tilted = [await searched.search(photos.encoded(row), face=face) for face in (0, 1)]
    assert {searched.names[one.matches[0].person_id] for one in tilted} == {"obama", "biden"}
    assert [one.chosen for one in tilted] == [0, 1]
    centers = [
        photos.rotated_point(_center(box), (upright.width, upright.height), 35) for box in upright.boxes
    ]
    for box in tilted[0].boxes:
        side = max(box[2] - box[0], box[3] - box[1])
        assert min(np.linalg.norm(_center(box) - center) for center in centers) < side / 4


def _center(box):
    return np.reshape(box, (2, 2)).mean(axis=0)


async def test_boxes_are_those_of_the_upright_photo_in_full_size(searched, media_dir):
    obama = photos.opened(media_dir / "obama.jpg")
    plain = await searched.search(photos.encoded(obama))
    turned = await searched.search(photos.turned(obama, 6))
    large = await searched.search(photos.encoded(obama.resize((12 * obama.width, 12 * obama.height))))
    assert (plain.width, plain.height) == (turned.width, turned.height) == obama.size
    assert (large.width, large.height) == (12 * obama.width, 12 * obama.height)
    assert np.abs(np.subtract(plain.boxes[0], turned.boxes[0])).max() < 4
    assert np.abs(np.subtract(plain.boxes[0], np.divide(large.boxes[0], 12))).max() < 4


async def test_one_of_several_faces_is_chosen(searched, media_dir):
    everybody = [photos.opened(media_dir / file) for file in (*NAMES.values(), "obama-720p.jpg")]
    data = photos.encoded(photos.side_by_side(everybody))
    got = [(await searched.best(data, face=face)) for face in (None, *range(5))]
    assert {faces for _, faces, _ in got} == {5}
    assert [chosen for *_, chosen in got] == [0, 0, 1, 2, 3, 4]
    assert sorted(name for name, *_ in got[1:]) == ["biden", "lacamoire", "miranda", "obama", "obama"]
    assert got[0] == got[1]
    sides = [x2 - x1 for x1, _, x2, _ in (await searched.search(data)).boxes]
    assert sides[0] == max(sides)
    for face in (5, -1):
        shown = await searched.search(data, face=face)
        assert (len(shown.boxes), shown.chosen, shown.matches) == (5, None, [])
        assert (shown.refusal.code, shown.refusal.path) == (ErrorCode.INVALID, ("face",))
        assert "has 5 faces" in shown.refusal.message
    assert [len((await searched.search(data, limit=limit)).matches) for limit in (2, 100)] == [2, 4]


async def test_what_cannot_be_used_is_refused_with_what_to_do(searched, media_dir):
    obama = photos.opened(media_dir / "obama.jpg")
    data = photos.encoded(obama)
    wrong = {
        "empty": (b"", "is empty"),
        "a text": (b"no photo at all\n" * 40, "no photo that can be read"),
        "a vector": (b"<svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>", "no photo that can be read"),
        "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no photo that can be read"),
        "a video": ((media_dir / "gestures" / "eat.mkv").read_bytes(), "no photo that can be read"),
        "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400), "HEIC photos are not read"),
        "half a photo": (data[: len(data) // 2], "a part of it is missing"),
        "half a WebP": (photos.encoded(obama, "WEBP")[:3000], "Send a JPEG"),
        "a header": (data[:200], "header is broken"),
        "no face": (photos.encoded(Image.effect_noise((300, 300), 90).convert("RGB")), "There is no face"),
        "one pixel": (photos.encoded(Image.new("RGB", (1, 1)), "PNG"), "There is no face"),
        "a line": (photos.encoded(Image.new("RGB", (20_000, 1)), "PNG"), "There is no face"),
        "a tiny face": (photos.encoded(obama.resize((90, 112))), "at least 32 are needed"),
    }  # fmt: skip
    for kind, (sent, words) in wrong.items():
        code, path, message = await searched.error(sent)
        assert (code, path) == (ErrorCode.UNSUPPORTED_MEDIA, ("photo",)), kind
        assert words in message, (kind, message)
    assert (await searched.best(data))[0] == "obama"


async def test_bombs_are_known_by_their_header(searched, media_dir):
    bomb = photos.png_of_size(20_000, 20_000)
    assert len(bomb) < 200_000
    lying = photos.patched_jpeg_size(photos.encoded(photos.opened(media_dir / "obama.jpg")), 60_000, 60_000)
    before = searched.process.pid
    moving = photos.animated(Image.new("RGB", (8, 8)), "GIF")
    for data in (bomb, lying, moving[:6] + b"\xff\xff\xff\xff" + moving[10:]):
        code, path, message = await searched.error(data)
        assert (code, path) == (ErrorCode.LIMIT_EXCEEDED, ("photo",))
        assert "(limit: max_photo_pixels)" in message
    code, _, message = await searched.error(b"x", size_bytes=searched.settings.max_photo_bytes + 1)
    assert (code, "(limit: max_photo_bytes)" in message) == (ErrorCode.LIMIT_EXCEEDED, True)
    assert searched.process.pid == before
