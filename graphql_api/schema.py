"""The schema, composed of the features' queries, mutations and subscriptions."""

import strawberry
from strawberry.extensions import MaxTokensLimiter
from strawberry.schema.config import StrawberryConfig

from graphql_api.accounts import AccountMutations, AccountQueries, User, load_user
from graphql_api.analyses.operations import AnalysisMutations, AnalysisQueries, AnalysisSubscriptions
from graphql_api.analyses.types import Analysis, load_analysis
from graphql_api.context import Info
from graphql_api.deletions import DeletionMutations
from graphql_api.errors import ErrorPresentingSchema
from graphql_api.events import EventQueries, EventSubscriptions
from graphql_api.fields import field
from graphql_api.ml_models import MLModel, MLModelQueries, load_ml_model
from graphql_api.relay import Node, NodeLoader, load_node, uuid_loader
from graphql_api.scalars import SCALARS
from graphql_api.video_uploads import UploadMutations
from graphql_api.videos import Video, VideoQueries, load_video

NODE_LOADERS: dict[str, NodeLoader] = {
    "User": uuid_loader(load_user),
    "Video": uuid_loader(load_video),
    "Analysis": uuid_loader(load_analysis),
    "MLModel": load_ml_model,
}
"""Type name → how to load an object of it, with the check that the viewer may see it."""


@strawberry.type(description="What can be read.")
class Query(AccountQueries, VideoQueries, MLModelQueries, AnalysisQueries, EventQueries):
    @field("Any object of yours, by its id; null if there is none.", signed_in=True)
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await load_node(NODE_LOADERS, info.context, id)


@strawberry.type(description="What can be changed.")
class Mutation(AccountMutations, UploadMutations, AnalysisMutations, DeletionMutations):
    pass


@strawberry.type(description="What can be watched.")
class Subscription(AnalysisSubscriptions, EventSubscriptions):
    pass


def make_schema(max_query_tokens: int = 10_000) -> ErrorPresentingSchema:
    """The schema, with the limits of this server."""
    return ErrorPresentingSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[User, Video, Analysis, MLModel],
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[lambda: MaxTokensLimiter(max_token_count=max_query_tokens)],
    )


def export_schema() -> str:
    """The schema in the schema language, as `schema.graphql` holds it."""
    return make_schema().as_str() + "\n"
