"""Reading, starting, steering and watching analyses."""

from collections.abc import AsyncIterator

import strawberry

from domain.analyses import service
from domain.analyses.models import AnalysisStatus
from domain.analyses.transitions import Action
from domain.errors import NotFoundError
from domain.videos.service import get_video
from graphql_api.analyses.settings import AnalysisSettingsInput
from graphql_api.analyses.types import ANALYSIS_ROWS, Analysis, AnalysisProgress, load_analysis
from graphql_api.context import Info
from graphql_api.errors import Payload
from graphql_api.fields import field, mutation, subscription
from graphql_api.live.feeds import shared
from graphql_api.live.progress_hub import ProgressFeed
from graphql_api.relay import Connection, find_uuid, require_uuid
from graphql_api.row_pages import paginate_rows
from tasks.analyses import analysis_limits, complete_settings, start_analysis, steer_analysis
from tasks.face_embedding import FaceMatching


@strawberry.input(description="Which analyses; what is absent does not matter.")
class AnalysisFilter:
    video_id: strawberry.ID | None = strawberry.field(default=None, description="Only those of this video.")
    status: list[AnalysisStatus] | None = strawberry.field(
        default=None, description="Only those with one of these statuses."
    )
    ml_model: str | None = strawberry.field(default=None, description="Only those of this model.")


@strawberry.input(description="An analysis to start.")
class StartAnalysisInput:
    video_id: strawberry.ID = strawberry.field(description="The video; it may still be PROBING.")
    settings: AnalysisSettingsInput = strawberry.field(description="What to analyse, and how.")
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="Any text of yours, up to 255 characters. The same key and input start nothing new but "
        "give the first answer again.",
    )
    priority: int | None = strawberry.field(
        default=None,
        description="From -100 to 100, by default 0: which of your waiting analyses comes first. It does not "
        "put you before others.",
    )


@strawberry.type(description="The result of a change to an analysis.")
class AnalysisPayload(Payload):
    analysis: Analysis | None = strawberry.field(
        default=None, description="The analysis; null if it did not work."
    )


@strawberry.type
class AnalysisQueries:
    @field("One of your analyses; null if you have none with this id.", signed_in=True)
    async def analysis(self, info: Info, id: strawberry.ID) -> Analysis | None:
        key = find_uuid(id, "Analysis")
        return None if key is None else await load_analysis(info.context, key)

    @field("Your analyses, newest first.", signed_in=True)
    async def analyses(
        self,
        info: Info,
        first: int | None = 20,
        after: str | None = None,
        filter: AnalysisFilter | None = None,
    ) -> Connection[Analysis]:
        wanted = filter or AnalysisFilter()
        rows = service.filter_analyses(
            ANALYSIS_ROWS.rows.of_owner(info.context.user_id),
            video_id=None
            if wanted.video_id is None
            else require_uuid(wanted.video_id, "Video", "filter", "video_id"),
            statuses=wanted.status,
            ml_model=wanted.ml_model,
        )
        return await paginate_rows(info, rows, ANALYSIS_ROWS, first=first, after=after)


@strawberry.type
class AnalysisMutations:
    @mutation("Queue an analysis of a video.", counted=True)
    async def start_analysis(self, info: Info, input: StartAnalysisInput) -> AnalysisPayload:
        context, app = info.context, info.context.state.settings
        video = await get_video(
            context.user_id, require_uuid(input.video_id, "Video", "video_id"), ("video_id",)
        )
        settings = await complete_settings(
            input.settings.requested(),
            app.resolved_weights_dir(),
            app.resolved_weights_mirror(),
            ("settings",),
            faces=FaceMatching.of(app),
        )
        row = await start_analysis(
            context.state.storage,
            context.user_id,
            video,
            settings,
            input.idempotency_key,
            priority=input.priority or 0,
            limits=analysis_limits(app),
        )
        return AnalysisPayload(analysis=Analysis.from_row(row))

    @mutation("Stop the work on an analysis within a second, to go on with it later.")
    async def pause_analysis(self, info: Info, id: strawberry.ID) -> AnalysisPayload:
        return await _steer(info, id, Action.PAUSE)

    @mutation("Go on with a paused analysis.")
    async def resume_analysis(self, info: Info, id: strawberry.ID) -> AnalysisPayload:
        return await _steer(info, id, Action.RESUME)

    @mutation("Stop the work on an analysis within a second, for good.")
    async def cancel_analysis(self, info: Info, id: strawberry.ID) -> AnalysisPayload:
        return await _steer(info, id, Action.CANCEL)

    @mutation(
        "Try a failed or cancelled analysis again: what failed is repeated, what was finished is kept.",
        counted=True,
    )
    async def restart_analysis(self, info: Info, id: strawberry.ID) -> AnalysisPayload:
        return await _steer(info, id, Action.RESTART)


async def _steer(info: Info, id: strawberry.ID, action: Action) -> AnalysisPayload:
    context = info.context
    key = require_uuid(id, "Analysis", "id")
    row = await steer_analysis(context.state.redis, context.user_id, key, action)
    return AnalysisPayload(analysis=Analysis.from_row(row))


@strawberry.type
class AnalysisSubscriptions:
    @subscription("The present state of an analysis at once, then each change; ends after the final state.")
    async def analysis_progress(self, info: Info, id: strawberry.ID) -> AsyncIterator[AnalysisProgress]:
        key = find_uuid(id, "Analysis")
        if key is None:
            raise NotFoundError("There is no Analysis with this id.", ("id",))
        owner_id = info.context.user_id
        await service.get_analysis(owner_id, key)
        hub = info.context.state.progress_hub
        return shared(ProgressFeed(hub, owner_id, key, AnalysisProgress.of))

    @subscription("The present state of all your unfinished analyses, then each change of any; does not end.")
    async def my_analyses_progress(self, info: Info) -> AsyncIterator[AnalysisProgress]:
        hub = info.context.state.progress_hub
        return shared(ProgressFeed(hub, info.context.user_id, None, AnalysisProgress.of))
