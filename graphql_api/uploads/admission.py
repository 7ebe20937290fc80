"""Whether a request with files may be executed, found out before the first of them is stored."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from graphql import (
    FieldNode,
    NamedTypeNode,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from graphql.language import TypeNode
from strawberry.types.arguments import convert_arguments

from domain.errors import UserFacingError
from domain.videos.service import check_room_for_video
from graphql_api.analyses.new_video import settings_of_new_video
from graphql_api.context import Context
from graphql_api.execution.documents import Mistakes
from graphql_api.execution.heavy_lane import caller_of
from graphql_api.execution.schema import ApiSchema
from graphql_api.http.requests import GraphQLRequest
from graphql_api.rate_limits.mutations import count_ahead
from graphql_api.uploads.multipart import MultipartError, StreamedFile
from tasks.own_models.upload import too_large

_FILE_TYPE = "Upload"
_UPLOAD_FIELD = "uploadVideos"
_MODEL_FIELD = "uploadMLModel"
_FORM_BYTES = 2**20
"""More than the form around a file takes."""


_TOO_LARGE = StreamedFile("", "", "", 0, "", too_large=True)
"""Stands for a photo of which nothing is read."""


class NotExecutableError(Exception):
    """Raised when the request would be answered with errors alone, whatever its files are.

    Args:
        request: Executed without its files, it gives that answer.
    """

    def __init__(self, request: GraphQLRequest) -> None:
        super().__init__()
        self.request = request


async def admit_upload(
    schema: ApiSchema, context: Context, request: GraphQLRequest, file_variables: Collection[str]
) -> int | None:
    """Let a request with files in, or not.

    Args:
        schema: What will execute it.
        context: Who sends it.
        request: The request, with something that is not null in place of each file.
        file_variables: The variables that files go into.

    Returns:
        The size of its largest file, if that is less than for any request.

    Raises:
        NotExecutableError: Its document, its variables or its settings are wrong, or it passes a limit.
        MultipartError: It is nothing that takes files there.
        LimitExceededError: Its sender keeps as many videos as anybody may.
    """
    checked = await schema.documents.fetch(request.query, partial(caller_of, context))
    if isinstance(checked, Mistakes):
        raise NotExecutableError(request)
    operation = get_operation_ast(checked.document, request.operation_name)
    if operation is None:
        raise NotExecutableError(request)
    _require_files(operation, file_variables)
    _, costs_too_much = schema.cost(checked, request.operation_name, request.variables)
    variables = get_variable_values(
        schema._schema, operation.variable_definitions or (), request.variables or {}, max_errors=1
    )
    if isinstance(variables, list) or costs_too_much is not None:
        raise NotExecutableError(request)
    if await _has_wrong_settings(schema, context, operation, variables):
        raise NotExecutableError(request)
    max_file_bytes = None
    if operation.operation is OperationType.QUERY:
        max_file_bytes = _admit_photos(context, request, file_variables)
    elif _calls(operation, _MODEL_FIELD):
        await _admit_model(context, request)
    elif not (request.variables or {}).get("idempotencyKey"):
        # With a key it may be the repetition of an upload whose videos are there already.
        await check_room_for_video(context.user_id, context.state.settings.max_videos_per_user)
    if not await count_ahead(context):
        raise NotExecutableError(request)
    return max_file_bytes


def _admit_photos(context: Context, request: GraphQLRequest, file_variables: Collection[str]) -> int:
    """The size of the largest photo: the only files of queries are photos to search by."""
    settings = context.state.settings
    if not settings.face_matching:
        raise NotExecutableError(request)
    announced = context.request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > settings.max_photo_bytes * len(file_variables) + _FORM_BYTES:
        too_large = dict.fromkeys(file_variables, _TOO_LARGE)
        raise NotExecutableError(replace(request, variables={**(request.variables or {}), **too_large}))
    return settings.max_photo_bytes


async def _admit_model(context: Context, request: GraphQLRequest) -> None:
    viewer = await context.require_viewer()
    if not viewer.user.is_admin:
        raise NotExecutableError(request)
    settings = context.state.settings
    announced = context.request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > settings.max_own_model_bytes + _FORM_BYTES:
        raise too_large(settings)


def _require_files(operation: OperationDefinitionNode, file_variables: Collection[str]) -> None:
    if operation.operation is OperationType.SUBSCRIPTION:
        raise MultipartError(400, "A subscription takes no files.")
    takes_files = {
        definition.variable.name.value
        for definition in operation.variable_definitions or ()
        if _named(definition.type) == _FILE_TYPE
    }
    for name in file_variables:
        if name not in takes_files:
            raise MultipartError(400, f"The variable {name[:100]!r} takes no file.")


async def _has_wrong_settings(
    schema: ApiSchema, context: Context, operation: OperationDefinitionNode, variables: VariableValues
) -> bool:
    """Whether an analysis with the settings that it asks for could not be started."""
    mutation_type = schema._schema.mutation_type
    for node in operation.selection_set.selections:
        if mutation_type is None or not isinstance(node, FieldNode) or node.name.value != _UPLOAD_FIELD:
            continue
        field = mutation_type.fields[_UPLOAD_FIELD]
        arguments = convert_arguments(
            get_argument_values(field, node, variables),
            field.extensions["strawberry-definition"].arguments,
            scalar_registry=schema.schema_converter.scalar_registry,
            config=schema.config,
        )
        try:
            await settings_of_new_video(context, arguments.get("analyze"))
        except UserFacingError:
            return True
    return False


def _calls(operation: OperationDefinitionNode, name: str) -> bool:
    """Whether a mutation is called, not by a fragment; the mutation itself refuses as well."""
    return any(
        isinstance(node, FieldNode) and node.name.value == name for node in operation.selection_set.selections
    )


def _named(node: TypeNode) -> str:
    while not isinstance(node, NamedTypeNode):
        node = node.type  # type: ignore[attr-defined]
    return node.name.value
