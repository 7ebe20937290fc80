"""The analysis that is asked for together with a new video, however that comes in."""

from domain.analyses.service import create_analysis
from domain.analyses.settings import AnalysisSettings
from domain.videos.models import Video
from graphql_api.analyses.settings import AnalysisSettingsInput
from graphql_api.analyses.types import Analysis
from graphql_api.context import Context
from tasks.analyses import analysis_limits, complete_settings
from tasks.face_embedding import FaceMatching


async def settings_of_new_video(
    context: Context, analyze: AnalysisSettingsInput | None
) -> AnalysisSettings | None:
    """The settings of the analysis that the argument `analyze` asks for; None if it asks for none.

    Raises:
        UserFacingError: Something is wrong with them.
    """
    if analyze is None:
        return None
    app = context.state.settings
    return await complete_settings(
        analyze.requested(),
        app.resolved_weights_dir(),
        app.resolved_weights_mirror(),
        ("analyze",),
        faces=FaceMatching.of(app),
    )


async def analyse_new_video(
    context: Context, row: Video, settings: AnalysisSettings, *, is_repeatable: bool
) -> Analysis:
    """Start the analysis of a new video.

    Args:
        context: Who asks for it.
        row: The video.
        settings: From `settings_of_new_video`.
        is_repeatable: Whether the request has an idempotency key: repeated, it starts no second one.

    Raises:
        UserFacingError: It cannot be started.
    """
    # The video's id is random and was not known before: no key of a person's own is the same by chance.
    key = f"upload of video {row.id}" if is_repeatable else None
    limits = analysis_limits(context.state.settings)
    return Analysis.from_row(await create_analysis(context.user_id, row, settings, key, limits=limits))
