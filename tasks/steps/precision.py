"""In what precision the networks of an analysis are computed."""

import logging
from typing import Any

from domain.analyses.models import Analysis
from domain.analyses.options import AnalysisMode, DetectionOptions, Precision, read_options, stored_options
from domain.leases import Lease
from ml_models.catalog import find_spec
from ml_models.compute import Device
from ml_models.errors import MLModelError
from ml_models.openvino import why_not_bfloat16
from tasks.runtime import Runtime

log = logging.getLogger(__name__)


async def decide_precision(runtime: Runtime, lease: Lease, analysis: Analysis) -> None:
    """Note, before its segments are planned, in what precision an analysis is computed.

    Noted once for all its segments, since detections of both precisions are stored under different keys. A
    worker whose CPU cannot do what another has decided computes in full precision, and says so in its log.
    """
    options = read_options(DetectionOptions, analysis.detection_options)
    if options.mode is not AnalysisMode.FAST:
        return
    values: dict[str, Any] = vars(options) | {"precision": _precision(runtime, analysis)}
    stored = stored_options(DetectionOptions(**values))
    planning = Analysis.filter(id=analysis.id, fence=lease.fence, segment_count=None)
    if await planning.update(detection_options=stored):
        analysis.detection_options = stored


def _precision(runtime: Runtime, analysis: Analysis) -> Precision:
    try:
        spec = find_spec(analysis.ml_model)
    except MLModelError:
        return Precision.FULL  # detection will say what is wrong
    if not spec.keeps_quality_in_bfloat16 or runtime.settings.device != Device.CPU.value:
        return Precision.FULL
    reason = why_not_bfloat16()
    if reason is not None:
        log.info("analysis %s is computed in full precision: %s", analysis.id, reason)
        return Precision.FULL
    return Precision.BF16
