"""From clips whose people are known to the register: as many persons as there are, and nobody taken for another."""

import pytest

from benchmarks.people_scores import score, tracked_faces
from domain.analyses.files import tracked_key
from domain.analyses.settings import AnalysisSettings
from domain.people.models import Appearance, Person
from tests.people_clips import make_clips
from tests.people_sets import THREE_VIDEOS, TOGETHER
from tests.people_truth import hamilton_clip
from tests.tasks.harness import harness


async def scores_of(tmp_path, weights_dir, clips):
    async with harness(tmp_path / "data", weights_dir) as work:
        found = {}
        for clip in clips:
            settings = AnalysisSettings(ml_model="yunet-2026may", create_people=True)
            analysis = await work.analyse(clip.path, settings)
            assert analysis.status == "SUCCEEDED", analysis.error_message
            tables = [
                await work.runtime.storage.get(tracked_key(analysis.id, number))
                for number in range(analysis.segment_count)
            ]
            found[clip.name] = tables, analysis.id
        # Later analyses may move the faces of earlier ones: all are read at the end.
        rows = await Appearance.filter(owner_id=work.owner.id)
        assert await Person.filter(owner_id=work.owner.id).count() == len({row.person_id for row in rows})
        assert all(row.is_final and row.person_id for row in rows)
        return score(
            clips,
            {
                name: tracked_faces(
                    tables, {row.track_id: row.person_id for row in rows if row.analysis_id == analysis_id}
                )
                for name, (tables, analysis_id) in found.items()
            },
        )


async def test_three_people_in_two_videos_are_three_persons(tmp_path, media_dir, weights_dir):
    """They follow each other in one place, with cuts; two of them come again, in the dark, with noise."""
    clips = make_clips((TOGETHER[3], THREE_VIDEOS[1]), media_dir, tmp_path / "clips")
    scores = await scores_of(tmp_path, weights_dir, clips)
    assert (scores.real, scores.found, scores.known, scores.false_merges) == (3, 3, 3, 0)
    assert scores.precision == 1
    assert scores.recall > 0.9


async def test_the_people_of_a_real_clip_are_found(tmp_path, media_dir, weights_dir):
    """A singer near and far, a pianist from the side, and guests, two of them from the side."""
    scores = await scores_of(tmp_path, weights_dir, [hamilton_clip(media_dir)])
    assert (scores.real, scores.found, scores.known, scores.false_merges) == (6, 6, 6, 0)
    assert scores.precision == pytest.approx(1, abs=0.02)
    assert scores.recall > 0.8
