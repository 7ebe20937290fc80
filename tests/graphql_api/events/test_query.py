"""Reading the event log, and what cannot be resumed."""

from datetime import UTC, datetime

import pytest

from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from graphql_api.relay import global_id
from tests.graphql_api.events.event_log import (
    PAGE,
    Account,
    followed,
    make_video,
    numbers_of,
    prune,
    record_events,
)
from tests.graphql_api.serving import served


async def test_events_are_read_in_pages_by_number(ada):
    await record_events(ada.id, 5)
    page = await ada.page(first=2)
    assert numbers_of(page) == [1, 2]
    assert page["pageInfo"] == {
        "hasNextPage": True, "hasPreviousPage": False, "startCursor": "1", "endCursor": "2",
    }  # fmt: skip
    assert page["newestCursor"] == "5"
    assert [edge["cursor"] for edge in page["edges"]] == ["1", "2"]
    page = await ada.page(first=3, after="2")
    assert (numbers_of(page), page["pageInfo"]["hasNextPage"]) == ([3, 4, 5], False)
    assert page["pageInfo"]["hasPreviousPage"] is True
    assert (await ada.page(after="5"))["edges"] == []
    assert (await ada.page(first=0))["newestCursor"] == "5"


async def test_an_account_without_events(ada):
    page = await ada.page()
    assert (page["edges"], page["newestCursor"]) == ([], "0")
    assert (await ada.page(after="0"))["edges"] == []


async def test_what_an_event_says_and_of_whom(ada):
    video = await make_video(ada.id)
    analysis = await create_analysis(ada.id, video, AnalysisSettings("m"))
    ids = {"video_id": video.id, "analysis_id": analysis.id}
    await record_events(ada.id, message="Because.", **ids)
    await record_events(ada.id)
    query = """{ events { edges { node { kind message createdAt videoId analysisId
      video { id title } analysis { id status } } } } }"""

    async def read():
        answer = await ada(query)
        assert "errors" not in answer, answer
        return [edge["node"] for edge in answer["data"]["events"]["edges"]][-2:]

    full, empty = await read()
    assert datetime.fromisoformat(full.pop("createdAt")) <= datetime.now(UTC)
    video_id, analysis_id = global_id("Video", video.id), global_id("Analysis", analysis.id)
    assert full == {
        "kind": "ANALYSIS_QUEUED", "message": "Because.", "videoId": video_id, "analysisId": analysis_id,
        "video": {"id": video_id, "title": "t"}, "analysis": {"id": analysis_id, "status": "QUEUED"},
    }  # fmt: skip
    assert {empty[name] for name in ("message", "videoId", "analysisId", "video", "analysis")} == {None}
    await video.delete()
    full, _ = await read()
    assert (full["videoId"], full["video"], full["analysisId"], full["analysis"]) == (
        video_id, None, analysis_id, None,
    )  # fmt: skip


async def test_everybody_reads_only_their_own(app, ada):
    bob = Account(ada.api, await ada.api.sign_up("bob"))
    strange = await make_video(ada.id)
    await record_events(ada.id, 3)
    await record_events(bob.id, 1, video_id=strange.id)
    assert numbers_of(await bob.page()) == [1]
    answer = await bob("{ events { edges { node { videoId video { title } } } } }")
    (edge,) = answer["data"]["events"]["edges"]
    assert edge["node"]["video"] is None, "the id of somebody else's video shows nothing of it"
    answer = await ada.api(PAGE)
    assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_the_objects_of_a_page_are_loaded_together(ada, monkeypatch):
    for _ in range(5):
        await record_events(ada.id, video_id=(await make_video(ada.id)).id)
    calls = []
    from graphql_api import events

    load_videos = events.load_videos
    monkeypatch.setattr(events, "load_videos", lambda *given: calls.append(given) or load_videos(*given))
    answer = await ada("{ events { edges { node { video { id } } } } }")
    assert len({edge["node"]["video"]["id"] for edge in answer["data"]["events"]["edges"]}) == 5
    assert len(calls) == 1


@pytest.mark.parametrize("after", ["", "x", "-1", "1.0", " 1", "01", "+1", "١", "1" * 19, "MQ"])
async def test_other_text_than_a_number_is_a_mistake(ada, after):
    error = await ada.error(after=after)
    assert error["extensions"] == {"code": "BAD_USER_INPUT"}
    assert "number" in error["message"]


async def test_a_page_has_at_most_a_hundred(ada):
    assert (await ada.error(first=101))["extensions"]["code"] == "LIMIT_EXCEEDED"
    assert (await ada.error(first=-1))["extensions"]["code"] == "BAD_USER_INPUT"
    await record_events(ada.id, 101)
    assert numbers_of(await ada.page()) == list(range(1, 101))


async def test_what_is_no_longer_kept_and_what_is_not_there_yet(app, ada):
    await record_events(ada.id, 6)
    await prune(ada.id, 4)
    assert numbers_of(await ada.page()) == [5, 6]
    assert numbers_of(await ada.page(after="4")) == [5, 6]
    too_old, too_new = await ada.error(after="3"), await ada.error(after="7")
    for error in (too_old, too_new):
        assert error["extensions"] == {"code": "CONFLICT", "oldest": 5, "newest": 6}
    assert "before number 5 are no longer kept" in too_old["message"]
    assert 'after: "4"' in too_old["message"]
    assert 'after: "6"' in too_new["message"]
    async with served(app) as url:
        for after, error in (("3", too_old), ("7", too_new), ("999999999999999999", None), ("x", None)):
            async with followed(url, ada, after) as socket:
                answer = await socket.receive()
                assert answer["type"] == "error"
                assert error is None or answer["payload"][0]["message"] == error["message"]
                assert error is None or answer["payload"][0]["extensions"] == error["extensions"]
