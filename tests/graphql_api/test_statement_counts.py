"""However long a list is, and whatever is selected below it, it takes the same number of SQL statements."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from graphql import build_schema, get_named_type, get_nullable_type, is_list_type, is_object_type
from tortoise import connections
from tortoise.transactions import in_transaction

from domain.accounts.models import User
from domain.analyses.models import (
    Analysis,
    AnalysisStatus,
    LabelTotal,
    Segment,
    SegmentStatus,
    Track,
    Tracker,
)
from domain.analyses.options import Counting, CountingLine, Zone, stored_options
from domain.events import EventKind, record_event
from domain.uploads.models import Upload
from domain.videos.models import Video, VideoStatus
from graphql_api.relay import find_uuid
from graphql_api.schema import export_schema
from tests.graphql_api.full_app import FullApp
from tests.graphql_api.people.possessions import give_people

ANALYSIS = """id status progress framesDone counts { label } etaSeconds video { id title url thumbnailUrl }
  resultUrl settings { tracker labels mlModel { name labels } }"""
COUNTING = """{ analyses(first: 16) { edges { cursor node {
  lineCounts { name in byLabel { label in } } zoneCounts { name occupancy byLabel { label entries } }
  settings { region { x } lines { name labels } zones { name labels points { x } } } } } } }"""
TRACKS = "tracks(first: 2) { edges { cursor node { trackId label } } pageInfo { hasNextPage } }"
DETECTIONS = "detections(first: 2) { edges { cursor node { label box { x } } } }"
ANALYSES = f"analyses(first: 4) {{ edges {{ cursor node {{ {ANALYSIS} {TRACKS} {DETECTIONS} }} }} }}"
VIDEOS = f"{{ videos(first: 4) {{ edges {{ cursor node {{ id title url thumbnailUrl {ANALYSES} }} }} }} }}"
EVENTS = f"""{{ events(first: 16) {{ newestCursor edges {{ cursor node {{ number
  video {{ id url {ANALYSES} }} analysis {{ {ANALYSIS} {TRACKS} }} }} }} }} }}"""

PEOPLE = """{ people(first: 16) { edges { cursor node { id fullName cropUrl
  appearances(first: 3) { edges { node { firstSeconds cropUrl videoUrl video { id title } analysis { id } } } }
  videos(first: 3) { edges { node { id title url } } }
  presence(videoId: "VmlkZW86MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw") { seconds spans { firstSeconds } }
  history(first: 3) { edges { node { kind changedBy { username } edits { field after } } } } } } } }"""
PEOPLE_OF_TRACKS = """{ analyses(first: 16) { edges { node { id peopleCount
  tracks(first: 3) { edges { node { trackId person { id fullName cropUrl } } } } } } } }"""
SUGGESTIONS = """{ samePersonSuggestions(first: 10) { similarity first { id fullName cropUrl }
  second { id appearances(first: 2) { edges { node { video { id } } } } } } }"""

QUERIES = {
    **dict.fromkeys(
        (
            *("Query.people", "Person.appearances", "Person.videos", "Person.history", "Presence.spans"),
            "PersonChange.edits",
        ),
        PEOPLE,
    ),
    "Query.samePersonSuggestions": SUGGESTIONS,
    "Query.videos": VIDEOS,
    "Query.analyses": f"{{ {ANALYSES} }}",
    "Query.events": EVENTS,
    "Query.uploads": "{ uploads(first: 50) { edges { cursor node { id filename url video { id } } } } }",
    "Query.mlModels": "{ mlModels { id name labels isReady } }",
    "MLModel.devices": "{ mlModels { id devices } }",
    "MLModel.quality": "{ mlModels { id quality { metric value } } }",
    "Query.auditLog": "{ auditLog(first: 50) { edges { cursor node { kind createdAt } } } }",
    "Video.analyses": VIDEOS,
    "Analysis.tracks": PEOPLE_OF_TRACKS,
    "Analysis.detections": VIDEOS,
    "Analysis.counts": VIDEOS,
    **dict.fromkeys(
        (
            *("Analysis.lineCounts", "LineCount.byLabel", "Analysis.zoneCounts", "ZoneCount.byLabel"),
            *("AnalysisSettings.region", "AnalysisSettings.lines", "AnalysisSettings.zones"),
            *("CountingLine.labels", "Zone.labels", "Zone.points"),
        ),
        COUNTING,
    ),
    "AnalysisSettings.labels": VIDEOS,
    "MLModel.labels": VIDEOS,
}
"""List field of the schema → a query that asks it once for each object of the lists above it."""

FROM_MEMORY = {
    **{
        f"AnalysisComparison.{name}": "made by the comparison"
        for name in ("iouHistogram", "labels", "matchedTracks", "lostTrackIds", "newTrackIds")
    },
    "Detection.landmarks": "in the row of the detection",
    "Mask.size": "in the row of the detection",
    "AnalysisProgress.counts": "made with the snapshot",
    "AnalysisProgress.lineCounts": "made with the snapshot",
    "AnalysisProgress.zoneCounts": "made with the snapshot",
    "Payload.userErrors": "made by the mutation",
    "UserError.path": "made by the mutation",
    "PeopleSearch.faces": "found in the photo",
    "PeopleSearch.matches": "people and appearances of all matches are read together",
    "UploadVideosPayload.videos": "as many as there are files in the request, written one by one",
    "UploadVideosPayload.analyses": "as many as there are files in the request, written one by one",
}
"""Those that no query asks, and why."""

COUNTED = stored_options(
    Counting(
        (CountingLine("line", (0.0, 0.5), (1.0, 0.5)),),
        (Zone("zone", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),),
    )
)


def _list_fields() -> set[str]:
    schema = build_schema(export_schema())
    found = set()
    for name, kind in schema.type_map.items():
        if not is_object_type(kind) or name.startswith("__") or name.endswith("Connection"):
            continue
        for field_name, field in kind.fields.items():
            is_connection = get_named_type(field.type).name.endswith("Connection")
            if is_connection or is_list_type(get_nullable_type(field.type)):
                found.add(f"{'Payload' if field_name == 'userErrors' else name}.{field_name}")
    return found


def test_every_list_of_the_schema_has_an_entry():
    assert _list_fields() == set(QUERIES) | set(FROM_MEMORY)


@pytest.fixture
async def app(database, tmp_path):
    async with FullApp(tmp_path) as app:
        yield app


async def _fill(owner_id: Any, count: int) -> None:
    for number in range(count):
        await Upload.create(
            id=uuid4(), owner_id=owner_id, filename="u.mp4", size_bytes=2, storage_key=f"u{uuid4()}",
            expires_at=datetime.now(UTC) + timedelta(days=1),
        )  # fmt: skip
        video = await Video.create(
            id=uuid4(), owner_id=owner_id, title=f"video {number}", filename="v.mp4", storage_key=f"v{number}",
            size_bytes=1, sha256="", status=VideoStatus.READY, has_thumbnail=True,
        )  # fmt: skip
        for place in range(count):
            analysis = await Analysis.create(
                id=uuid4(), owner_id=owner_id, video_id=video.id, ml_model="opencv-haar-face",
                tracker=Tracker.BYTE_TRACK, frame_stride=1, min_confidence=0.5, labels=["face"],
                status=AnalysisStatus.RUNNING, frames_total=100, running_since=1.0, counting=COUNTED,
                create_people=True,
            )  # fmt: skip
            await Segment.create(
                id=uuid4(), analysis_id=analysis.id, number=0, plan={}, status=SegmentStatus.RUNNING,
                frames_total=50, frames_done=10 + place, counts={"face": 1},
            )  # fmt: skip
            await LabelTotal.create(analysis_id=analysis.id, label="face", detections=3, tracks=1)
            await Track.bulk_create(
                Track(
                    id=uuid4(), analysis_id=analysis.id, track_id=track_id, label="face", first_seconds=0.0,
                    last_seconds=1.0, detection_count=2, confidence_sum=1.5,
                )
                for track_id in range(1, count + 1)
            )  # fmt: skip
            await give_people(await User.get(id=owner_id), video, (analysis, analysis), f"number {place}")
            async with in_transaction() as connection:
                await record_event(
                    connection,
                    owner_id,
                    EventKind.ANALYSIS_QUEUED,
                    video_id=video.id,
                    analysis_id=analysis.id,
                )


async def _statements(app: FullApp, query: str, count: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    person = await app.person(f"person{count}")
    me = (await person.data("{ me { id } }"))["me"]["id"]
    await _fill(find_uuid(me, "User"), count)
    statements: list[str] = []
    client = connections.get("default")
    with monkeypatch.context() as patch:
        for name in ("read_values", "execute_query", "execute_query_dict", "execute_insert", "execute_many"):
            run = getattr(client, name, None)
            if run is None:
                continue

            def counting(sql: str, *given: Any, run: Any = run) -> Any:
                statements.append(sql)
                return run(sql, *given)

            patch.setattr(client, name, counting)
        answer = await person.execute(query)
    assert "errors" not in answer, answer
    return statements


@pytest.mark.parametrize("query", sorted(set(QUERIES.values())))
async def test_the_number_of_statements_does_not_grow_with_the_page(app, query, monkeypatch):
    few = await _statements(app, query, 1, monkeypatch)
    many = await _statements(app, query, 4, monkeypatch)
    assert len(many) == len(few), "\n".join(many)
    assert len(many) <= 16
