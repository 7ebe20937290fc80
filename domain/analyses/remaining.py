"""How much of an analysis is done, and how long the rest will take."""

import time
from uuid import UUID

from domain.analyses.models import Analysis, AnalysisStatus
from domain.analyses.options import AnalysisMode
from domain.sql import fetch_rows

OVERLAY_SHARE = 0.5
"""Drawing the overlay counts as this share of analysing the same frames."""

FAST_OVERLAY_SHARE = 1.0
"""The same in mode FAST, which looks at few of the frames that are drawn. On 768x432 one drawn takes 3.3 ms
of a core (2026-11-21); one of EXACT with yolox-nano takes 16 ms, one of FAST a fourth (docs/speed.md)."""


def units(analysis: Analysis) -> tuple[float, float]:
    """Work done and work in all, in analysed frames."""
    share = _overlay_share(analysis)
    drawn = min(analysis.overlay_frames_done / analysis.frame_stride, analysis.frames_total)
    return analysis.frames_done + share * drawn, analysis.frames_total * (1 + share)


def active_seconds(analysis: Analysis) -> float:
    """Time the analysis has been RUNNING."""
    return analysis.active_seconds + _seconds_since(analysis.running_since)


def remaining_seconds(analysis: Analysis) -> float | None:
    """How long it will take from now; None while nothing tells.

    Before the overlay is drawn, from the speed of the frames analysed so far, of which those that were only
    read from storage say nothing. While it is drawn, from the speed of the drawing alone.
    """
    if analysis.status != AnalysisStatus.RUNNING:
        return None
    if analysis.overlay_frames_done and analysis.running_since is not None:
        # The overlay has every frame of the video, those between the analysed ones too.
        left = max(0, analysis.frames_total * analysis.frame_stride - analysis.overlay_frames_done)
        return left * _seconds_since(analysis.running_since) / analysis.overlay_frames_done
    done, whole = units(analysis)
    computed = done - min(analysis.frames_reused, analysis.frames_done)
    return (whole - done) * active_seconds(analysis) / computed if computed > 0 else None


async def note_drawing_has_not_begun(analysis_id: UUID, fence: int) -> None:
    """Begin a new stretch of the time RUNNING, so that `running_since` is when drawing began.

    What an earlier attempt has drawn ends that: then the stretch goes on.
    """
    await fetch_rows(
        "UPDATE analyses SET active_seconds = active_seconds + CASE WHEN running_since < $1 "
        "THEN $1 - running_since ELSE 0 END, running_since = $1 "
        "WHERE id = $2 AND fence = $3 AND running_since IS NOT NULL AND overlay_frames_done = 0 RETURNING id",
        time.time(),
        analysis_id,
        fence,
    )


def _overlay_share(analysis: Analysis) -> float:
    if not analysis.overlay:
        return 0.0
    is_fast = (analysis.detection_options or {}).get("mode") == AnalysisMode.FAST.value
    return FAST_OVERLAY_SHARE if is_fast else OVERLAY_SHARE


def _seconds_since(moment: float | None) -> float:
    return 0.0 if moment is None else max(0.0, time.time() - moment)
