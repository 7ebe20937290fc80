import time
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from graphql_api.http.signed_urls import (
    FileLink,
    LinkError,
    check_query,
    expiry,
    sign,
    signed_queries,
    signed_query,
)

SECRET = b"a secret of the tests"
LINK = FileLink("videos/a.mp4", int(time.time()) + 86400, "video/mp4", "Über.mp4", attachment=True)


def query_of(link: FileLink, secret: bytes = SECRET) -> dict[str, str]:
    return dict(parse_qsl(signed_query(link, secret), keep_blank_values=True))


@pytest.mark.parametrize(
    "link",
    [
        LINK,
        FileLink(LINK.key, LINK.expires_at),
        replace(LINK, filename='a"b&c=d\n\u202e.mp4'),
        replace(LINK, attachment=False),
        replace(LINK, content_type=None),
        replace(LINK, filename=""),
    ],
)
def test_a_signed_link_says_what_it_said(link: FileLink) -> None:
    assert check_query(link.key, query_of(link), SECRET) == link


@pytest.mark.parametrize(
    "changed",
    [
        {"expires": str(LINK.expires_at + 1)},
        {"type": "text/html"},
        {"name": "other.mp4"},
        {"download": "0"},
        {"download": ""},
        {"signature": "x" + sign(LINK, SECRET)[1:]},
        {"signature": sign(LINK, SECRET) + "="},
        {"signature": sign(LINK, SECRET).lower()},
        {"signature": "ä\ud800"},
        {"expires": "never"},
        {"expires": "-1"},
        {"expires": "٣"},
        {"expires": "9" * 5000},
    ],
)
def test_a_changed_link_is_worth_nothing(changed: dict[str, str]) -> None:
    with pytest.raises(LinkError, match="damaged") as caught:
        check_query(LINK.key, query_of(LINK) | changed, SECRET)
    assert "Ask the API" in str(caught.value) or "ask the API" in str(caught.value)


@pytest.mark.parametrize("missing", ["expires", "type", "name", "download", "signature"])
def test_nothing_may_be_left_out(missing: str) -> None:
    query = query_of(LINK)
    del query[missing]
    with pytest.raises(LinkError):
        check_query(LINK.key, query, SECRET)


def test_a_link_is_for_one_key_and_one_secret() -> None:
    with pytest.raises(LinkError, match="damaged"):
        check_query("videos/b.mp4", query_of(LINK), SECRET)
    with pytest.raises(LinkError, match="damaged"):
        check_query(LINK.key, query_of(LINK, b"another"), SECRET)
    with pytest.raises(LinkError, match="not signed"):
        check_query(LINK.key, {}, SECRET)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_links_that_are_signed_together_are_those_that_are_signed_alone(count: int) -> None:
    keys = ["a/b.jpg", 'a"b', '", "', "\\", '\\", "', "ä\n\u2028", "c"][:count]
    alone = [signed_query(replace(LINK, key=key), SECRET) for key in keys]
    assert signed_queries(keys, LINK, SECRET) == alone


def test_fields_cannot_be_shifted_into_each_other() -> None:
    one, other = replace(LINK, content_type="a", filename="b"), replace(LINK, content_type="ab", filename="")
    assert sign(one, SECRET) != sign(other, SECRET)
    assert sign(replace(LINK, filename=None), SECRET) != sign(replace(LINK, filename="None"), SECRET)


def test_a_link_expires() -> None:
    expired = replace(LINK, expires_at=int(time.time()) - 1)
    with pytest.raises(LinkError, match="expired"):
        check_query(expired.key, query_of(expired), SECRET)


def test_expiry_is_stable_for_a_while_and_never_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [1_700_000_000 + 37.3 * number for number in range(1000)]
    found = []
    for moment in moments:
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        found.append(expiry(3600))
    assert all(3600 <= end - moment <= 3600 + 900 for end, moment in zip(found, moments, strict=True))
    assert len(set(found)) == pytest.approx(37.3 * 1000 / 900, abs=2)
    assert expiry(1) >= time.time() + 1
