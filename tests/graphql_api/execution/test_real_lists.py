"""The lists of the real schema: rows that are read in part and built by columns, against graphql-core."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from graphql import parse
from graphql.execution import execute
from starlette.requests import HTTPConnection
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.utils.await_maybe import await_maybe
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.accounts.service import sign_up
from domain.accounts.sessions import AccountSettings
from domain.analyses.models import Analysis, AnalysisStatus, LabelTotal, Track, Tracker
from domain.events import EventKind, record_event
from domain.people.models import Appearance
from domain.videos.models import Video, VideoStatus
from graphql_api.context import AppState, Context
from graphql_api.errors import present
from graphql_api.execution.documents import CheckedDocument
from graphql_api.execution.pages import PageBuilder, moment_texts
from graphql_api.execution.schema import ApiSchema
from graphql_api.rules import QueryLimits
from graphql_api.scalars import serialize_datetime
from graphql_api.schema import make_schema
from settings import Settings
from storage.local import LocalStorage
from tests.graphql_api.execution.queries import QueryMaker
from tests.graphql_api.people.possessions import give_people

SECRET = b"s" * 32
QUERIES = 30
OF_THE_MOMENT = frozenset(
    {"url", "thumbnailUrl", "resultUrl", "overlayUrl", "etaSeconds", "framesPerSecond", "detections"}
)
"""Fields whose answer is another one a moment later, or which read files."""

NODE = """id title filename externalId status rejectionReason sourceUrl sizeBytes sha256 codec width height
  durationSeconds frameCount averageFps isVariableFrameRate createdAt"""
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
FIXED = [
    f"{{ videos(first: 100) {{ edges {{ cursor node {{ {NODE} }} }} {PAGE} }} }}",
    *[
        f"{{ videos(first: 5, orderBy: {order}) {{ {asked} }} }}"
        for order in ("NEWEST", "OLDEST", "TITLE", "LARGEST")
        for asked in (
            "edges { cursor }",
            PAGE,
            "edges { node { id } }",
            f"edges {{ node {{ codec }} }} {PAGE}",
        )
    ],
    "{ videos(first: 0) { edges { node { id title } } pageInfo { startCursor } } }",
    "{ videos { __typename edges { __typename t: __typename node { __typename } } } }",
    "{ videos { edges { a: node { id } b: node { id title } node { k: id again: id } c: cursor cursor } } }",
    "{ videos { edges { node { id } } e: edges { node { width height } } } videos { edges { cursor } } }",
    "{ one: videos(first: 2) { ...P } two: videos(first: 3, orderBy: TITLE) { ...P } }"
    " fragment P on VideoConnection { edges { node { ...V } } } fragment V on Video { title ... on Node { id } }",
    "{ videos { edges { node { id thumbnail: thumbnailUrl @skip(if: true) title } } } }",
    "{ videos { edges { node { title analyses(first: 3) { edges { cursor node { id createdAt finishedAt"
    " tracks(first: 3) { edges { cursor node { trackId label firstSeconds meanConfidence } } } } } } } } } }",
    "{ analyses(first: 50) { edges { node { id status errorMessage priority createdAt startedAt finishedAt"
    " } } } }",
    "{ analyses { edges { cursor node { id progress framesDone framesTotal counts { label detections }"
    " settings { frameStride labels } video { id title } } } } }",
    f"{{ events {{ newestCursor edges {{ cursor node {{ number cursor kind createdAt message videoId"
    f" analysisId }} }} {PAGE} }} }}",
    "{ events(first: 4) { edges { node { kind } } } }",
    "{ events(first: 4) { edges { node { kind message video { id title } analysis { id status } } } } }",
    f"{{ people {{ edges {{ cursor node {{ id fullName birthDate sex appearanceCount createdAt updatedAt cropUrl }} }} {PAGE} }} }}",
    "{ people(orderBy: NAME) { edges { cursor node { fullName } } } }",
    f"{{ people {{ edges {{ node {{ id appearances(first: 1) {{ edges {{ cursor node {{ trackId cropUrl videoUrl"
    f" video {{ id title }} }} }} {PAGE} }} videos {{ edges {{ cursor node {{ id title }} }} }} }} }} }} }}",
    "{ people { edges { node { a: appearances(first: 1) { edges { node { trackId } } } b: appearances {"
    " edges { cursor } } c: videos(first: 0) { pageInfo { hasNextPage } } } n: node { videos { __typename } } } } }",
    "{ people { edges { node { ...N ...M } } } } fragment N on Person { appearances { edges { node { firstSeconds"
    " } } } } fragment M on Person { fullName appearances { edges { node { id lastSeconds } } } }",
    "{ people { edges { node { appearances { edges { node { trackId analysis { id } person { id } } } }"
    " history { edges { cursor node { kind isUndone edits { field } changedBy { username } } } } } } } }",
    "{ people { edges { node { fullName appearances(first: 101) { edges { cursor } } } } } }",
    "{ people { edges { node { fullName videos(first: 2) { edges { node { url } } } } } } }",
    "{ videos(first: -1) { edges { node { id } } } }",
    '{ videos(after: "nonsense") { edges { node { id } } } }',
]


@pytest.fixture
def schema() -> ApiSchema:
    return make_schema(QueryLimits(max_query_depth=50, max_query_cost=10**12))


class Viewer:
    """Somebody with videos, and the two ways to ask for them."""

    def __init__(self, schema: ApiSchema, state: AppState, token: str) -> None:
        self._schema, self._state, self._token = schema, state, token
        self.outcomes: Counter[str] = Counter()

    def _context(self) -> Context:
        headers = [(b"authorization", f"Bearer {self._token}".encode()), (b"host", b"testserver")]
        scope = {"type": "http", "method": "POST", "path": "/graphql", "headers": headers, "scheme": "http"}
        return Context(self._state, HTTPConnection({**scope, "query_string": b""}))

    async def compare(self, query: str, variables: dict[str, Any] | None = None) -> None:
        if not isinstance(self._schema.documents.get(query), CheckedDocument):
            self.outcomes["refused"] += 1
            return
        stock = await await_maybe(
            execute(
                self._schema._schema,
                parse(query),
                context_value=self._context(),
                variable_values=variables,
                executor_class=StrawberryGraphQLCoreExecutionContext,
                is_awaitable=optimized_is_awaitable,
                operation_extensions=None,
            )
        )
        expected = _answer(stock.data, [present(error) for error in stock.errors or ()])
        for _ in range(2):
            ours = await self._schema.execute(query, variables, self._context())
        if ours.data is None and ours.errors and not ours.errors[0].path:
            self.outcomes["refused"] += 1
            return
        assert _answer(ours.data, ours.errors or []) == expected, query
        self.outcomes["with errors" if ours.errors else "without errors"] += 1


def _answer(data: Any, errors: list[Any]) -> bytes:
    return orjson.dumps({"data": data, "errors": [error.formatted for error in errors]})


@pytest.fixture
async def viewer(database, tmp_path, schema):
    signed_in = await sign_up(AccountSettings(SECRET, 900, 3600), "ada", "correct horse", None, None)
    unused: Any = None
    state = AppState(
        settings=Settings(data_dir=tmp_path, public_url="http://testserver"), secret=SECRET,
        storage=LocalStorage(tmp_path),
        redis=unused, progress_hub=unused,
    )  # fmt: skip
    await _fill(signed_in.user.id)
    return Viewer(schema, state, signed_in.access_token.token)


TITLES = ["a", "", 'with "quotes"\\', "two\nlines", "ÄÖ 東京 😀", "a", "z" * 250]
MOMENTS = [
    datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    datetime(2026, 1, 2, 3, 4, 5, 0, UTC),
    datetime(2025, 12, 31, 23, 59, 59, 999_999, UTC),
    datetime(2025, 12, 31, 23, 59, 59, 100_000, UTC),
]


async def _fill(owner_id: UUID) -> None:
    random = Random(5)
    for number in range(14):
        status = random.choice([VideoStatus.READY, VideoStatus.PROBING, VideoStatus.REJECTED])
        is_ready = status is VideoStatus.READY
        video = await Video.create(
            id=UUID(int=random.getrandbits(128), version=4), owner_id=owner_id, status=status,
            title=TITLES[number % len(TITLES)], filename=f"{number}.mp4",
            external_id=random.choice([None, "x"]), sha256=random.choice(["", "f" * 64]),
            rejection_reason="It is no video." if status is VideoStatus.REJECTED else None,
            storage_key=None if number % 5 == 0 else f"v{number}",
            source_url="https://example.org/a.mp4" if number % 5 == 0 else None,
            size_bytes=random.choice([0, 1, 2**31, 2**53 - 1, 2**53, 2**60]),
            codec="h264" if is_ready else None, width=1280 if is_ready else None,
            height=720 if is_ready else None, frame_count=random.choice([None, 7]),
            duration_seconds=random.choice([None, 0.1, 12.0, 1e-7, 1 / 3, 12345.678901234567]),
            average_fps=random.choice([None, 29.97002997002997]),
            is_variable_frame_rate=random.choice([None, True, False]),
        )  # fmt: skip
        moment = MOMENTS[number % len(MOMENTS)] + timedelta(days=number // 8)
        await Video.filter(id=video.id).update(created_at=moment)
        if number % 2:
            await _add_analyses(owner_id, video.id, random)
            analyses = await Analysis.filter(video_id=video.id).order_by("id")
            await give_people(await User.get(id=owner_id), video, analyses[:2], f"number {number}")
        async with in_transaction() as connection:
            await record_event(connection, owner_id, EventKind.VIDEO_UPLOADED, video_id=video.id)


async def _add_analyses(owner_id: UUID, video_id: UUID, random: Random) -> None:
    for status in (AnalysisStatus.QUEUED, AnalysisStatus.SUCCEEDED, AnalysisStatus.FAILED):
        analysis = await Analysis.create(
            id=UUID(int=random.getrandbits(128), version=4), owner_id=owner_id, video_id=video_id,
            ml_model="opencv-haar-face", tracker=Tracker.BYTE_TRACK, frame_stride=2, min_confidence=0.5,
            labels=random.choice([None, [], ["face"]]), status=status, frames_total=random.choice([0, 100]),
            error_message="It broke." if status is AnalysisStatus.FAILED else None, priority=-3,
            started_at=None if status is AnalysisStatus.QUEUED else MOMENTS[1],
            finished_at=random.choice([None, *MOMENTS]),
        )  # fmt: skip
        await LabelTotal.create(analysis_id=analysis.id, label="face", detections=3, tracks=1)
        await Track.bulk_create(
            Track(
                id=uuid4(), analysis_id=analysis.id, track_id=track_id, label="face", first_seconds=0.1,
                last_seconds=1.0, detection_count=3, confidence_sum=2.0,
            )
            for track_id in range(1, random.randint(1, 5))
        )  # fmt: skip
        async with in_transaction() as connection:
            await record_event(
                connection, owner_id, EventKind.ANALYSIS_QUEUED, video_id=video_id, analysis_id=analysis.id
            )


async def test_lists_have_the_answers_of_graphql_core(viewer, monkeypatch):
    built: Counter[bool] = Counter()
    results = PageBuilder.results

    def counting(*arguments: Any) -> Any:
        made = results(*arguments)
        built[made is not None] += 1
        return made

    monkeypatch.setattr(PageBuilder, "results", counting)
    for query in FIXED:
        await viewer.compare(query)
    assert built[True] > len(FIXED)
    assert viewer.outcomes["refused"] == 0, viewer.outcomes
    assert viewer.outcomes["with errors"] == 3, viewer.outcomes


async def test_what_is_wrong_on_one_page_of_many_is_told_as_graphql_core_tells_it(viewer):
    wrong = await Appearance.all().order_by("id").first()
    await Appearance.filter(id=wrong.id).update(first_seconds=math.inf)
    for asked in (
        "firstSeconds",
        "trackId",
        "video { id title }",
        "firstSeconds video { t: title filename }",
    ):
        nodes = f"appearances {{ edges {{ cursor node {{ {asked} }} }} }}"
        await viewer.compare(f"{{ people {{ edges {{ node {{ id {nodes} }} }} }} }}")
    assert viewer.outcomes["with errors"] == 2, viewer.outcomes


async def test_any_query_on_lists_has_the_answer_of_graphql_core(viewer, schema):
    for seed in range(QUERIES):
        random = Random(seed)
        query = QueryMaker(schema._schema, random, OF_THE_MOMENT).make(
            ["videos", "analyses", "events", "people"], 5
        )
        for yes, no in ((True, False), (False, True)):
            await viewer.compare(query, {"yes": yes, "no": no})
    assert viewer.outcomes["without errors"] > QUERIES, viewer.outcomes


@pytest.mark.parametrize("descending", [True, False])
async def test_pages_that_follow_each_other_are_those_of_graphql_core(viewer, descending):
    order = "NEWEST" if descending else "OLDEST"
    asked = "edges { cursor node { id createdAt } } pageInfo { hasNextPage endCursor }"
    query = f"query($after: String) {{ videos(first: 4, after: $after, orderBy: {order}) {{ {asked} }} }}"
    after, seen = None, []
    while True:
        await viewer.compare(query, {"after": after})
        result = await viewer._schema.execute(query, {"after": after}, viewer._context())
        page = result.data["videos"]
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) == 14


def test_texts_of_moments_are_those_of_the_scalar():
    random = Random(1)
    moments = [
        datetime(2026, 1, 1, tzinfo=UTC)
        + timedelta(seconds=random.randint(-(10**9), 10**9), microseconds=fraction)
        for fraction in (0, 1, 10, 999_999, 500_000, 123_456)
        for _ in range(50)
    ]
    stored = [moment.isoformat(" ") for moment in moments]
    assert moment_texts(stored) == [serialize_datetime(moment) for moment in moments]


@pytest.mark.parametrize(
    "unusual",
    [
        None,
        datetime(2026, 1, 1, tzinfo=UTC),
        "2026-01-01 00:00:00",
        "2026-01-01 00:00:00.000000+00:00",
        "2026-01-01 00:00:00.5+00:00",
        "2026-01-01 02:00:00+02:00",
        "2026-01-01",
        "",
    ],
)
def test_moments_of_another_form_are_left_to_the_scalar(unusual):
    assert moment_texts(["2026-01-01 00:00:00+00:00", unusual]) is None
