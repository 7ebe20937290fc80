"""Faces of a real clip come into the register, once and for all, whatever cuts the work short."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import cv2
import numpy as np
import pytest

from domain.analyses.files import (
    face_key,
    faces_prefix,
    identifier_state_key,
    identifier_states_prefix,
)
from domain.analyses.models import Analysis, AnalysisStatus, Track
from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.analyses.status import apply
from domain.analyses.transitions import TRANSITIONS, Action
from domain.leases import Lease
from domain.people.models import Appearance
from ml_models.catalog import find_spec
from ml_models.factory import create_embedder, create_ml_model
from tasks.faces.looking import EMBEDDED_AT_FIRST, EMBEDDED_PER_TRACK
from tasks.faces.tracks import CANDIDATES_PER_TRACK
from tasks.process.protocol import decode
from tasks.steps import advance, identify
from tasks.steps.guarded import LostClaimError
from tests.tasks.fake_register import FakeRegister
from tests.tasks.harness import Harness, harness

CLIP = "short_hamilton_clip.mp4"
DETECTOR = "yunet-2026may"
PART = {"start_seconds": 3.0, "end_seconds": 9.0, "frame_stride": 2}
"""A man who sings, and then the audience."""
PROVISIONAL = 4
"""A track of ten seconds is looked at no more often before it has ended, as it must double in between."""


def settings(**changes: Any) -> AnalysisSettings:
    return AnalysisSettings(DETECTOR, **{"min_confidence": 0.6, "create_people": True, **changes})


@pytest.fixture
def register(monkeypatch) -> FakeRegister:
    register = FakeRegister()
    monkeypatch.setattr(identify, "record_faces", register.record_faces)
    return register


async def run(work: Harness, video: Any, **changes: Any) -> Analysis:
    analysis = await create_analysis(work.owner.id, video, settings(**changes))
    await work.work()
    return await Analysis.get(id=analysis.id)


async def appearances(work: Harness, analysis: Analysis) -> list[tuple[Any, ...]]:
    """What the register and the storage have of an analysis: nothing but that differs."""
    assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
    assert analysis.identified_segments == analysis.segment_count
    assert [key async for key in work.runtime.storage.list(identifier_states_prefix(analysis.id))] == []
    rows = await Appearance.filter(analysis_id=analysis.id).order_by("track_id")
    crops = {key async for key in work.runtime.storage.list(faces_prefix(analysis.id))}
    assert crops == {face_key(analysis.id, row.track_id) for row in rows}
    return [
        (
            row.track_id,
            row.first_seconds,
            row.last_seconds,
            row.quality,
            row.embedding,
            row.embedding_model,
            row.places,
            row.beside,
            row.is_final,
            await work.runtime.storage.get(face_key(analysis.id, row.track_id)),
        )
        for row in rows
    ]


async def test_a_man_in_the_clip_is_the_one_of_the_photo_and_few_frames_tell_it(
    tmp_path, media_dir, weights_dir, caplog
):
    caplog.set_level("INFO", logger=identify.__name__)
    async with harness(tmp_path / "data", weights_dir) as work:
        analysis = await work.analyse(media_dir / CLIP, settings(frame_stride=2))
        found = await appearances(work, analysis)
        rows = await Appearance.filter(analysis_id=analysis.id)
        persons = {row.track_id: row.person_id for row in rows}
        tracks = {track.track_id: track async for track in Track.filter(analysis_id=analysis.id)}
    photo = cv2.imread(str(media_dir / "lin-manuel-miranda.png"))
    face = create_ml_model(DETECTOR, weights_dir=weights_dir).analyze([photo])[0]
    embedder = create_embedder("mobilefacenet", weights_dir=weights_dir)
    (wanted,) = embedder.embed(photo, face.xyxy[:1], face.data["landmarks"][:1])
    same = find_spec("mobilefacenet").same_similarity
    seen = [row for row in found if np.frombuffer(row[4], "<f4") @ wanted >= same]
    assert {row[5] for row in found} == {"mobilefacenet"}
    # He is one person of the register; the audience, which is shown after him, are others.
    (person,) = {persons[row[0]] for row in seen}
    audience = {persons[row[0]] for row in found if row[1] > 7.9}
    assert audience
    assert person not in audience
    # He sings in front of the audience for half of the ten seconds.
    longest = max(seen, key=lambda row: tracks[row[0]].detection_count)
    assert tracks[longest[0]].detection_count > 50
    assert longest[1] < 4 < 7 < longest[2]
    for row in found:
        crop = cv2.imdecode(np.frombuffer(row[-1], np.uint8), cv2.IMREAD_COLOR)
        assert crop.shape == (256, 256, 3)
        assert np.linalg.norm(np.frombuffer(row[4], "<f4")) == pytest.approx(1, abs=1e-5)
    frames_decoded, faces_embedded = np.sum([record.args[3:] for record in caplog.records], axis=0)
    detections = sum(track.detection_count for track in tracks.values())
    assert frames_decoded <= (CANDIDATES_PER_TRACK + EMBEDDED_AT_FIRST * PROVISIONAL) * len(tracks)
    assert faces_embedded <= (EMBEDDED_PER_TRACK + EMBEDDED_AT_FIRST * PROVISIONAL) * len(tracks)
    assert 4 * faces_embedded < detections


class Cut:
    """Ends the work at the nth step it meets, before or after the step is done."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.left = at
        self.after = after
        self.met: list[str] = []

    def steps(self, name: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def step(*args: Any, **options: Any) -> Any:
            if not self._is_of_identifying(args):
                return await function(*args, **options)
            self.met.append(name)
            self.left -= 1
            if self.left == 0 and not self.after:
                raise LostClaimError
            result = await function(*args, **options)
            if self.left == 0:
                raise LostClaimError
            return result

        return step

    @staticmethod
    def _is_of_identifying(args: tuple[Any, ...]) -> bool:
        key = args[0] if args and isinstance(args[0], str) else "/faces/"
        return "/faces/" in key or "/identifier/" in key

    def install(self, monkeypatch: Any, work: Harness, register: FakeRegister) -> None:
        storage = work.runtime.storage
        for name in ("put", "get", "delete"):
            monkeypatch.setattr(
                storage, name, self.steps(name, getattr(type(storage), name).__get__(storage))
            )
        monkeypatch.setattr(identify, "record_faces", self.steps("record", register.record_faces))
        begin = self.steps("begin", type(self).begin)
        monkeypatch.setattr(identify, "begin_identifying", begin)

    begin = staticmethod(identify.begin_identifying)


async def test_killed_between_any_two_steps_it_gives_the_same(
    tmp_path, media_dir, weights_dir, register, monkeypatch
):
    async with harness(tmp_path / "data", weights_dir, segment_seconds=2.0) as work:
        video = await work.add_video(media_dir / CLIP)
        at_once = await appearances(work, await run(work, video, **PART))
        assert len(at_once) >= 2
        monkeypatch.setattr(advance, "TRACKED_AT_ONCE", 1)
        monkeypatch.setattr(advance, "IDENTIFY_SECONDS", 0)
        whole = Cut(0, after=False)
        whole.install(monkeypatch, work, register)
        register.told.clear()
        analysis = await run(work, video, **PART)
        met = list(whole.met)
        assert await appearances(work, analysis) == at_once
        assert len(register.told) >= 3
        first_told = {one.track_id: one.is_final for told in reversed(register.told) for one in told}
        assert not all(first_told.values())  # people appear before their tracks have ended
        kinds = {name: met.index(name) + 1 for name in met}
        assert kinds.keys() == {"begin", "put", "get", "delete", "record"}
        # The first step of each kind, every step of the second piece of work, and the last one.
        record = met.index("record") + 1
        steps = {*kinds.values(), *range(record, met.index("record", record) + 2), len(met)}
        for number, step in enumerate(sorted(steps)):
            cut = Cut(step, after=bool(number % 2))
            cut.install(monkeypatch, work, register)
            analysis = await run(work, video, **PART)
            assert cut.left <= 0
            assert await appearances(work, analysis) == at_once, (step, met)


async def lose(work: Harness, part: str) -> None:
    async for key in work.runtime.storage.list("analyses"):
        if part in key:
            await work.runtime.storage.delete(key)


async def tell_of_another_model(work: Harness, analysis_id: UUID) -> None:
    """As if the settings had named another model until now."""
    key = identifier_state_key(analysis_id, 1)
    state = decode(await work.runtime.storage.get(key))
    state.values["embedding_model"] = "sface"
    await work.runtime.storage.put(key, state.encode())


async def test_it_begins_anew_where_it_cannot_go_on(tmp_path, media_dir, weights_dir, register, monkeypatch):
    monkeypatch.setattr(advance, "TRACKED_AT_ONCE", 1)
    monkeypatch.setattr(advance, "IDENTIFY_SECONDS", 0)
    named = {"segment_seconds": 2.0, "face_embedding_model": "mobilefacenet"}
    async with harness(tmp_path / "data", weights_dir, **named) as work:
        video = await work.add_video(media_dir / CLIP)
        expected = await appearances(work, await run(work, video, **PART))
        spoilers = (
            lambda analysis_id: lose(work, "/identifier/"),
            lambda analysis_id: lose(work, "/tracker/"),
            lambda analysis_id: tell_of_another_model(work, analysis_id),
        )
        for spoil in spoilers:
            begun = []

            async def record(lease: Lease, number: int, *args: Any, begun=begun, spoil=spoil, **options: Any):
                done = await register.record_faces(lease, number, *args, **options)
                begun.append(number)
                if len(begun) == 2:
                    await spoil(lease.id)
                return done

            monkeypatch.setattr(identify, "record_faces", record)
            assert await appearances(work, await run(work, video, **PART)) == expected
            assert begun.count(0) == 2


async def test_paused_or_cancelled_it_stops_and_records_nothing_until_it_goes_on(
    tmp_path, media_dir, weights_dir, register, monkeypatch
):
    async with harness(tmp_path / "data", weights_dir) as work:
        storage, video = work.runtime.storage, await work.add_video(media_dir / CLIP)
        put = storage.put
        for action in (Action.CANCEL, Action.PAUSE):
            stuck = asyncio.Event()

            async def put_never(key: str, data: bytes, stuck: asyncio.Event = stuck) -> None:
                if "/identifier/" in key:
                    stuck.set()
                    await asyncio.Event().wait()
                await put(key, data)

            monkeypatch.setattr(storage, "put", put_never)
            analysis = await create_analysis(work.owner.id, video, settings(**PART))
            working = asyncio.create_task(work.work())
            await asyncio.wait_for(stuck.wait(), 60)
            assert await apply(analysis.id, action)
            await asyncio.wait_for(working, 60)
            assert (await Analysis.get(id=analysis.id)).status == TRANSITIONS[action][1]
            assert not register.told
        monkeypatch.setattr(storage, "put", put)
        assert await apply(analysis.id, Action.RESUME)
        await work.work()
        found = await appearances(work, await Analysis.get(id=analysis.id))
        assert found
        # The crop of a face that the register does not take up does not stay.
        register.forgotten = {found[0][0]}
        assert await appearances(work, await run(work, video, **PART)) == found[1:]


NOT_DESCRIBED = (
    ({"face_embedding_model": "mobilefacenet"}, "Faces cannot be described: The weights of mobilefacenet"),
    ({"face_embedding_model": "facenet"}, "Faces cannot be described: there is no model 'facenet'"),
    ({"face_embedding_model": "person-reid-0288"}, "person-reid-0288 does not describe faces"),
    (
        {"face_matching": False},
        "(setting FRAMEWISE_FACE_MATCHING). Once it is on, this analysis can be restarted.",
    ),
)


async def test_faces_that_cannot_be_described_fail_the_analysis_and_say_why(
    tmp_path, media_dir, weights_dir, register
):
    detector_only = tmp_path / "weights"
    detector_only.mkdir()
    weights = find_spec(DETECTOR).weights.file_name
    shutil.copy(weights_dir / weights, detector_only / weights)
    short = {"start_seconds": 5.0, "end_seconds": 6.0, "frame_stride": 2}
    async with harness(tmp_path / "data", detector_only) as work:
        usual = work.runtime.settings
        video = await work.add_video(media_dir / CLIP)
        for changes, reason in NOT_DESCRIBED:
            work.runtime.settings = usual.model_copy(update=changes)
            analysis = await run(work, video, **short)
            assert analysis.status == AnalysisStatus.FAILED
            assert reason in analysis.error_message
        # What gives no landmarks is refused at the start, unless the settings change afterwards.
        work.runtime.settings = usual.model_copy(update={"weights_mirror": str(weights_dir)})
        haar = AnalysisSettings("opencv-haar-face", create_people=True, **short)
        analysis = await create_analysis(work.owner.id, video, haar)
        await work.work()
        await analysis.refresh_from_db()
        assert analysis.status == AnalysisStatus.FAILED
        assert "mobilefacenet needs the five landmarks of each face" in analysis.error_message
        assert not register.told
