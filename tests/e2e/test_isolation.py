"""A user sees nothing of another's."""

from itertools import count

import pytest

from tests.e2e.server import fetch

_numbers = count()

pytestmark = pytest.mark.xdist_group("server")

QUERIES = {
    "node": "query($video: ID!, $analysis: ID!) { a: node(id: $video) { id } b: node(id: $analysis) { id } }",
    "video": "query($video: ID!) { video(id: $video) { id filename url } }",
    "analysis": "query($analysis: ID!) { analysis(id: $analysis) { id video { id } } }",
}
MUTATIONS = {
    "deleteVideo": "mutation($video: ID!) { deleteVideo(id: $video) { deletedId userErrors { code } } }",
    "deleteAnalysis": "mutation($analysis: ID!) { deleteAnalysis(id: $analysis) { deletedId userErrors { code } } }",
    "startAnalysis": """mutation($video: ID!) { startAnalysis(input: {videoId: $video, settings: {mlModel: "opencv-haar-face"}})
        { analysis { id } userErrors { code } } }""",
    "pauseAnalysis": "mutation($analysis: ID!) { pauseAnalysis(id: $analysis) { analysis { id } userErrors { code } } }",
    "resumeAnalysis": "mutation($analysis: ID!) { resumeAnalysis(id: $analysis) { analysis { id } userErrors { code } } }",
    "cancelAnalysis": "mutation($analysis: ID!) { cancelAnalysis(id: $analysis) { analysis { id } userErrors { code } } }",
}
LISTS = "{ videos { edges { node { id } } } analyses { edges { node { id } } } }"
SIGNED_IN_ONLY = [*QUERIES.values(), *MUTATIONS.values(), LISTS, "{ mlModels { name } }"]


@pytest.fixture
async def victim(server, media_dir):
    api = await server.sign_up(f"victim{next(_numbers)}")
    uploaded = await api.upload(
        media_dir / "gestures" / "eat.mkv", analyze={"mlModel": "frame-marker", "minConfidence": 0}
    )
    await api.finished(uploaded["analyses"][0]["id"])
    ids = {"video": uploaded["videos"][0]["id"], "analysis": uploaded["analyses"][0]["id"]}
    return api, ids


def _variables(query: str, ids: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in ids.items() if f"${name}" in query}


async def test_another_user_finds_nothing_and_changes_nothing(api, victim):
    owner, ids = victim
    for query in QUERIES.values():
        assert (await owner.data(query, **_variables(query, ids))).values()
        assert set((await api.data(query, **_variables(query, ids))).values()) == {None}
    for name, mutation in MUTATIONS.items():
        payload = (await api.data(mutation, **_variables(mutation, ids)))[name]
        assert [error["code"] for error in payload["userErrors"]] == ["NOT_FOUND"], name
        assert not payload.get("deletedId")
        assert not payload.get("analysis")
    assert await api.data(LISTS) == {"videos": {"edges": []}, "analyses": {"edges": []}}
    filtered = await api.data(
        "query($video: ID!) { analyses(filter: {videoId: $video}) { edges { node { id } } } }",
        video=ids["video"],
    )
    assert filtered["analyses"]["edges"] == []
    assert (await owner.analysis(ids["analysis"]))["status"] == "SUCCEEDED"


async def test_nobody_who_is_not_signed_in_gets_anything(server, victim):
    _, ids = victim
    for token in (None, "nonsense", victim[0].token[:-2]):
        stranger = server.client(token)
        for query in SIGNED_IN_ONLY:
            answer = await stranger.execute(query, **_variables(query, ids))
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}, query
            assert not any((answer.get("data") or {}).values())


@pytest.mark.parametrize("who", ["stranger", "other"])
async def test_subscriptions_of_others_are_refused(server, api, victim, node_clients, who):
    _, ids = victim
    token = api.token if who == "other" else None
    async with node_clients.start(
        "watch_analysis.mjs", ids["analysis"], url=server.url, token=token
    ) as client:
        events = await client.rest()
    codes = [error["extensions"]["code"] for event in events for error in event.get("errors", [])]
    assert codes == (["NOT_FOUND"] if who == "other" else ["UNAUTHENTICATED"])
    assert not [event for event in events if event["event"] == "next" and event["data"]]


async def test_links_to_files_work_only_as_they_were_made(victim):
    owner, ids = victim
    links = await owner.data(
        "query($video: ID!, $analysis: ID!) { video(id: $video) { url thumbnailUrl } analysis(id: $analysis) { resultUrl } }",
        **ids,
    )
    urls = [links["video"]["url"], links["video"]["thumbnailUrl"], links["analysis"]["resultUrl"]]
    for number, url in enumerate(urls):
        assert (await fetch(url)).status_code == 200
        bare = url.partition("?")[0]
        other = urls[number - 1].partition("?")[2]
        for forged in (bare, f"{bare}?{other}", url[:-3] + "AAA", url.replace("expires=", "expires=9")):
            assert (await fetch(forged)).status_code == 403, forged


async def test_requests_by_id_of_the_wrong_type_find_nothing(api, victim):
    owner, ids = victim
    assert (await owner.data("query($id: ID!) { video(id: $id) { id } }", id=ids["analysis"]))[
        "video"
    ] is None
    assert (await owner.data("query($id: ID!) { analysis(id: $id) { id } }", id=ids["video"]))[
        "analysis"
    ] is None
    for nonsense in ("", "x", "VmlkZW86", "../../etc/passwd", "🦆"):
        assert (await owner.data("query($id: ID!) { node(id: $id) { id } }", id=nonsense))["node"] is None
