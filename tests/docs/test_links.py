"""Links lead somewhere, and nothing names a machine of ours."""

import re
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.markdown import REPOSITORY, anchors, documents, project_files, without_code

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)[^)]*\)|<img[^>]*\ssrc=\"([^\"]+)\"")
# Where packages are fetched from is a matter of the machine that fetches them; so are folders of accounts.
FORBIDDEN = re.compile(
    r"registry\.npmjs\.org|registry\.yarnpkg|pythonhosted\.org|pypi\.org/simple|--(?:extra-)?index-url[ =]"
    r"|\"resolved\":|(?<![\w.$}/])/(?:root|home/\w+|Users/\w+|work|mnt/\w+)/"
)
# Says what it looks for.
EXEMPT = {REPOSITORY / "tests/docs/test_links.py"}


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_relative_links_resolve(path):
    text = path.read_text(encoding="utf-8")
    broken = []
    for link in LINK.findall(without_code(text)):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        is_there = target.exists() and REPOSITORY in target.resolve().parents
        if not is_there or (parts.fragment and parts.fragment not in anchors(target.read_text())):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_pictures_are_there_and_say_what_they_show(path):
    text = without_code(path.read_text(encoding="utf-8"))
    for markdown, html in IMAGE.findall(text):
        assert (path.parent / (markdown or html)).is_file()
    assert all('alt="' in tag for tag in re.findall(r"<img[^>]*>", text))
    assert "![](" not in text


def test_the_project_has_documents_with_links():
    assert {"README.md", "architecture.md", "api.md"} <= {path.name for path in documents()}
    assert LINK.findall((REPOSITORY / "README.md").read_text())


def test_no_file_names_a_registry_or_a_folder_of_a_machine():
    found = []
    for path in project_files():
        data = path.read_bytes()
        if path in EXEMPT or b"\0" in data:
            continue
        for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}")
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        '"resolved": "https://example.org/x.tgz"',
        "open('/root/x')",
        "/home/ada/framewise",
        "--index-url https://example.org",
        "see /work/x",
    ],
)
def test_what_must_not_be_there_is_found(line):
    assert FORBIDDEN.search(line)


def test_pictures_load_nothing_from_elsewhere():
    for path in (REPOSITORY / "docs" / "images").glob("*.svg"):
        addresses = set(re.findall(r"https?://[^\s\"'<)]+", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}


def test_pictures_are_small():
    for path in (REPOSITORY / "docs" / "images").glob("*.png"):
        assert path.stat().st_size <= 250_000
