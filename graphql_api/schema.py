"""The schema, composed of the features' queries, mutations and subscriptions."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from graphql_api.accounts import AccountMutations, AccountQueries, User, load_user
from graphql_api.analyses.comparisons import ComparisonQueries
from graphql_api.analyses.operations import AnalysisMutations, AnalysisQueries, AnalysisSubscriptions
from graphql_api.analyses.types import Analysis, load_analysis
from graphql_api.audit_log import AuditQueries
from graphql_api.context import Info
from graphql_api.deletions import DeletionMutations
from graphql_api.descriptions import describe
from graphql_api.events import EventQueries, EventSubscriptions
from graphql_api.execution.schema import ApiSchema
from graphql_api.execution.trusted_documents import TrustedDocuments, load_trusted_documents
from graphql_api.fields import field
from graphql_api.ml_models import MLModel, MLModelQueries, load_ml_model
from graphql_api.own_models import OwnModelMutations
from graphql_api.people.appearances import Appearance, load_appearance
from graphql_api.people.changes import PersonChange, load_change
from graphql_api.people.operations import PeopleMutations, PeopleQueries
from graphql_api.people.persons import Person, load_person
from graphql_api.people.privacy import PrivacyMutations
from graphql_api.people.search import PeopleSearchQueries
from graphql_api.relay import Node, NodeLoader, load_node, uuid_loader
from graphql_api.rules import QueryLimits
from graphql_api.scalars import SCALARS
from graphql_api.uploads.imports import ImportMutations
from graphql_api.uploads.resumable.operations import (
    ResumableUpload,
    ResumableUploadMutations,
    ResumableUploadQueries,
    load_upload,
)
from graphql_api.uploads.videos import UploadMutations
from graphql_api.videos import Video, VideoQueries, load_video
from settings import Settings

NODE_LOADERS: dict[str, NodeLoader] = {
    "User": uuid_loader(load_user),
    "Video": uuid_loader(load_video),
    "Analysis": uuid_loader(load_analysis),
    "MLModel": load_ml_model,
    "ResumableUpload": uuid_loader(load_upload),
    "Person": uuid_loader(load_person),
    "Appearance": uuid_loader(load_appearance),
    "PersonChange": uuid_loader(load_change),
}
"""Type name → how to load an object of it, with the check that the viewer may see it."""


@strawberry.type(description="What can be read.")
class Query(
    AccountQueries,
    VideoQueries,
    MLModelQueries,
    AnalysisQueries,
    ComparisonQueries,
    EventQueries,
    AuditQueries,
    ResumableUploadQueries,
    PeopleQueries,
    PeopleSearchQueries,
):
    @field("Any object of yours, by its id; null if there is none.", signed_in=True)
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await load_node(NODE_LOADERS, info.context, id)


@strawberry.type(description="What can be changed.")
class Mutation(
    AccountMutations,
    UploadMutations,
    ResumableUploadMutations,
    ImportMutations,
    AnalysisMutations,
    OwnModelMutations,
    DeletionMutations,
    PeopleMutations,
    PrivacyMutations,
):
    pass


@strawberry.type(description="What can be watched.")
class Subscription(AnalysisSubscriptions, EventSubscriptions):
    pass


def make_schema(
    limits: QueryLimits | None = None, trusted_documents: TrustedDocuments | None = None
) -> ApiSchema:
    """The schema, with the limits of this server; with trusted documents, it executes no others."""
    schema = ApiSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[User, Video, Analysis, MLModel, ResumableUpload, Person, Appearance, PersonChange],
        config=StrawberryConfig(scalar_map=SCALARS),
        limits=limits or QueryLimits(),
        trusted_documents=trusted_documents,
    )
    describe(schema._schema)
    return schema


def make_server_schema(settings: Settings) -> ApiSchema:
    """The schema with the limits and the trusted documents of a server.

    Raises:
        TrustedDocumentsError: The trusted documents are wrong.
    """
    schema = make_schema(QueryLimits.of(settings), load_trusted_documents(settings.trusted_documents))
    schema.check_trusted_documents()
    return schema


def export_schema() -> str:
    """The schema in the schema language, as `schema.graphql` holds it."""
    return make_schema().as_str() + "\n"
