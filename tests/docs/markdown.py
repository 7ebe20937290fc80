"""The project's Markdown files, and what tests need to find in them."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

_FENCE = re.compile(
    r"(?:^<!-- tested: (?P<name>.*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
_HEADING = re.compile(r"^(#+) +(.*?) *$", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    language: str
    text: str
    name: str | None
    """What the comment before it says that it is tested as."""


def project_files() -> list[Path]:
    """What is in the repository or would be added to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file()]


def documents() -> list[Path]:
    """Every Markdown file of the project."""
    return [path for path in project_files() if path.suffix == ".md"]


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def blocks(text: str, language: str | None = None) -> Iterator[Block]:
    for match in _FENCE.finditer(text):
        if language is None or match["language"] == language:
            yield Block(match["language"], match["text"], match["name"])


def without_code(text: str) -> str:
    """The text without fenced blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def headings(text: str, level: int | None = None) -> list[str]:
    prose = _FENCE.sub("", text)
    return [match[2] for match in _HEADING.finditer(prose) if level is None or len(match[1]) == level]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings."""
    found: set[str] = set()
    for heading in headings(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        unique, number = slug, 0
        while unique in found:
            number += 1
            unique = f"{slug}-{number}"
        found.add(unique)
    return found


def section(text: str, heading: str) -> str:
    """What stands below a heading, up to the next one of its level or a higher one."""
    match = re.search(rf"^(#+) +{re.escape(heading)} *$", text, re.M)
    assert match, f"there is no heading {heading!r}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", _blank_code(rest), re.M)
    return rest[: end.start()] if end else rest


def _blank_code(text: str) -> str:
    """The same text with fenced blocks overwritten, so that comments in them are no headings."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def rows(text: str) -> list[list[str]]:
    """The cells of every table row below a table's head."""
    found = []
    in_body = False
    for line in text.splitlines():
        if not line.startswith("|"):
            in_body = False
        elif re.fullmatch(r"[|\-: ]+", line):
            in_body = True
        elif in_body:
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
    return found


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)
