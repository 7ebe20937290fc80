"""The ways in which files are broken; each is a function of a random generator and whole files."""

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.chaos.mutants_sources import Source

Mutation = Callable[[random.Random, Source, Sequence[Source]], bytes]

_CONTAINERS_OF_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta", b"moof", b"traf")
_EXTREMES = (0, 1, 7, 8, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x00FFFFFF)
_SUFFIXES = (".mp4", ".mkv", ".webm", ".avi", ".ts", ".mov", ".flv", ".gif", ".wmv")
_MAGIC = (
    b"",
    b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    b"\x1a\x45\xdf\xa3",
    b"RIFF\xff\xff\0\0AVI LIST",
    b"\x47\x40\0\x10",
    b"FLV\x01\x05\0\0\0\x09",
    b"GIF89a",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    b"\0\0\0\x01\x67\x64",
    b"YUV4MPEG2 W99 H99 F25:1\n",
)


@dataclass(frozen=True)
class Mutant:
    """A broken file."""

    number: int
    kind: str
    source: str
    suffix: str
    content: bytes

    @property
    def name(self) -> str:
        """A file name that says what it is."""
        return f"{self.number:04}-{self.kind}-{self.source}{self.suffix}"


def make_mutant(seed: int, number: int, sources: Sequence[Source]) -> Mutant:
    """Mutant `number`: always the same for the same seed, number and sources; kinds take turns."""
    rng = random.Random(f"{seed}/{number}")
    kind = list(KINDS)[number % len(KINDS)]
    source = rng.choice(sources)
    content = KINDS[kind](rng, source, sources)
    if kind == "random bytes":
        return Mutant(number, kind.replace(" ", "-"), "none", rng.choice(_SUFFIXES), content)
    return Mutant(number, kind.replace(" ", "-"), source.name, source.suffix, content)


def _flip(rng: random.Random, content: bytes, flips: int, start: int, end: int) -> bytes:
    broken = bytearray(content)
    for _ in range(flips):
        broken[rng.randrange(start, max(end, start + 1))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def _some_range(rng: random.Random, length: int, largest_share: float) -> tuple[int, int]:
    size = max(1, int(length * largest_share * rng.random() ** 2))
    start = rng.randrange(max(length - size, 1))
    return start, start + size


def few_bits(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    return _flip(rng, source.content, rng.randint(1, 16), 0, len(source.content))


def many_bits(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    share = 10 ** rng.uniform(-4, -1.5)
    return _flip(rng, source.content, int(len(source.content) * share) + 1, 0, len(source.content))


def header_bits(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    start, end = _header(source.content)
    return _flip(rng, source.content, rng.randint(1, 40), start, end)


def payload_bits(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    length = len(source.content)
    return _flip(rng, source.content, rng.randint(20, 2000), length // 5, length)


def cut_end(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    return source.content[: int(len(source.content) * rng.random())]


def cut_start(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    return source.content[int(len(source.content) * rng.random() ** 3) :]


def cut_middle(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    start, end = _some_range(rng, len(source.content), 0.8)
    return source.content[:start] + source.content[end:]


def spliced(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    """The head of one file on the body of another."""
    other = rng.choice(sources).content
    head = rng.choice((64, 500, 4000, len(source.content) // 2))
    body = rng.choice((head, rng.randrange(len(other))))
    return source.content[:head] + other[body:]


def zeroed(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    start, end = _some_range(rng, len(source.content), 0.5)
    return source.content[:start] + bytes(end - start) + source.content[end:]


def noise(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    start, end = _some_range(rng, len(source.content), 0.5)
    return source.content[:start] + rng.randbytes(end - start) + source.content[end:]


def doubled(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    start, end = _some_range(rng, len(source.content), 0.5)
    return source.content[:end] + source.content[start:end] * rng.randint(1, 4) + source.content[end:]


def shuffled(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    """Boxes, or blocks of the file, in another order."""
    content = source.content
    boxes = [(start - 8, end) for start, end, depth in _boxes(content) if depth == 0]
    if len(boxes) >= 2 and rng.random() < 0.7:
        parts = [content[start:end] for start, end in boxes]
    else:
        cuts = sorted(rng.randrange(len(content)) for _ in range(rng.randint(2, 8)))
        parts = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    first = parts[0]
    rng.shuffle(parts)
    if rng.random() < 0.5:
        parts.remove(first)
        parts.insert(0, first)
    return b"".join(parts)


def wrong_sizes(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    """Lengths that are not those of what follows."""
    broken = bytearray(source.content)
    places = [start - 8 for start, _, _ in _boxes(source.content)] or _length_fields(source.content) or [0]
    for _ in range(rng.randint(1, 4)):
        position = rng.choice(places)
        (size,) = struct.unpack_from(">I", broken, position)
        wrong = rng.choice((*_EXTREMES, size + rng.randint(-40, 40), size * 2, size // 2))
        struct.pack_into(">I", broken, position, wrong & 0xFFFFFFFF)
    return bytes(broken)


def wrong_numbers(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    """Extreme numbers in the header: sizes, counts, offsets, times."""
    broken = bytearray(source.content)
    start, end = _header(source.content)
    for _ in range(rng.randint(1, 12)):
        width = rng.choice("BHIQ")
        size = struct.calcsize(width)
        if end - start > size:
            value = rng.choice((*_EXTREMES, rng.getrandbits(64))) & (2 ** (8 * size) - 1)
            struct.pack_into(rng.choice("<>") + width, broken, rng.randrange(start, end - size), value)
    return bytes(broken)


def tiny(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    return source.content[: rng.choice((0, 1, 3, 4, 7, 8, 12, 16, 32, 100, 188, 300, 1000))]


def random_bytes(rng: random.Random, source: Source, sources: Sequence[Source]) -> bytes:
    return rng.choice(_MAGIC) + rng.randbytes(int(10 ** rng.uniform(0, 5.5)))


KINDS: dict[str, Mutation] = {
    "few bits": few_bits,
    "many bits": many_bits,
    "header bits": header_bits,
    "payload bits": payload_bits,
    "cut end": cut_end,
    "cut start": cut_start,
    "cut middle": cut_middle,
    "spliced": spliced,
    "zeroed": zeroed,
    "noise": noise,
    "doubled": doubled,
    "shuffled": shuffled,
    "wrong sizes": wrong_sizes,
    "wrong numbers": wrong_numbers,
    "tiny": tiny,
    "random bytes": random_bytes,
}
"""Name → how it breaks a file."""


def _header(content: bytes) -> tuple[int, int]:
    """Where the index or header lies: the box `moov` of an MP4, else the first bytes."""
    found = content.find(b"moov")
    if b"ftyp" in content[:16] and found > 0:
        (size,) = struct.unpack_from(">I", content, found - 4)
        return found - 4, min(found - 4 + size, len(content))
    return 0, min(len(content), 2000)


def _boxes(
    content: bytes, start: int = 0, end: int | None = None, depth: int = 0
) -> list[tuple[int, int, int]]:
    """Content start, end and depth of the boxes of an MP4; none for other files."""
    if depth == 0 and content[4:8] not in (b"ftyp", b"wide", b"moov"):
        return []
    end = len(content) if end is None else end
    found = []
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", content, start)
        if size < 8 or start + size > end:
            break
        found.append((start + 8, start + size, depth))
        if kind in _CONTAINERS_OF_BOXES:
            found += _boxes(content, start + 8, start + size, depth + 1)
        start += size
    return found


def _length_fields(content: bytes) -> list[int]:
    """Places whose four bytes could be a length, in either order, within the first part of the file."""
    places = []
    for position in range(min(len(content) - 4, 5000)):
        for order in ("<I", ">I"):
            (value,) = struct.unpack_from(order, content, position)
            if 8 <= value <= len(content):
                places.append(position)
    return places
