"""Detectors of this server's own: administrators upload and delete them, everybody uses them."""

import strawberry
from strawberry.file_uploads import Upload

from domain.errors import InvalidError
from domain.own_models.service import delete_own_model
from graphql_api.context import Info
from graphql_api.deletions import DeletePayload
from graphql_api.errors import Payload
from graphql_api.fields import mutation
from graphql_api.ml_models import MLModel, load_ml_model
from graphql_api.relay import global_id
from graphql_api.uploads.multipart import StreamedFile
from tasks.own_models.upload import UploadedFile, too_large, upload_own_model


@strawberry.type(description="The result of uploading a model.")
class MLModelPayload(Payload):
    ml_model: MLModel | None = strawberry.field(
        default=None, description="The model, which analyses can use now; null if it did not work."
    )


@strawberry.type
class OwnModelMutations:
    @mutation(
        "Upload a detector as an ONNX file, by the GraphQL multipart request specification; only "
        "administrators may. `config` is a YAML text that says what it is and what its outputs mean, see the "
        "documentation of models. It is tried out in a process of its own before anybody can use it.",
        admin=True,
        counted=True,
        name="uploadMLModel",
    )
    async def upload_ml_model(self, info: Info, file: Upload, config: str) -> MLModelPayload:
        context, state = info.context, info.context.state
        upload = context.upload
        if upload is None or not isinstance(file, StreamedFile):
            raise InvalidError(
                "This is no file: upload it by the GraphQL multipart request specification.", ("file",)
            )
        if file.too_large:
            raise too_large(state.settings)
        viewer = await context.require_viewer()
        row = await upload_own_model(
            state.settings,
            state.storage,
            viewer.user,
            UploadedFile(file.storage_key, file.size_bytes, file.sha256),
            config,
            release=lambda: upload.release(file),
            caller=context.caller,
        )
        return MLModelPayload(ml_model=await load_ml_model(context, row.name))

    @mutation(
        "Delete an uploaded model; only administrators may. Results that it gave stay.",
        admin=True,
        counted=True,
        name="deleteMLModel",
    )
    async def delete_ml_model(self, info: Info, name: str) -> DeletePayload:
        context = info.context
        viewer = await context.require_viewer()
        await delete_own_model(context.state.storage, viewer.user, name, caller=context.caller)
        return DeletePayload(deleted_id=global_id("MLModel", name))
