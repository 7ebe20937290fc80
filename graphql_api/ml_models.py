"""Models at the edge: what there is to choose from."""

import asyncio
from typing import Self

import strawberry

from graphql_api.context import Context, Info
from graphql_api.fields import field
from graphql_api.relay import Node, global_id
from graphql_api.scalars import BigInt
from ml_models.catalog import MLModelSpec, MLTask, all_specs, find_spec
from ml_models.errors import UnknownModelError
from ml_models.factory import default_model
from ml_models.weights import is_ready

strawberry.enum(MLTask, description="What a model does.")


@strawberry.type(name="MLModel", description="A model that analyses can use.")
class MLModel(Node):
    name: str = strawberry.field(description="What to give as `mlModel`.")
    task: MLTask = strawberry.field(description="What it does.")
    labels: list[str] = strawberry.field(description="Every label it may give.")
    description: str = strawberry.field(description="What it is good for.")
    license: str = strawberry.field(description="Licence of its code or weights, by SPDX name.")
    weights_bytes: BigInt | None = strawberry.field(
        description="Size of the weights it needs; null if it needs none."
    )
    default_confidence: float = strawberry.field(
        description="The `minConfidence` of analyses that name none."
    )
    floor_confidence: float = strawberry.field(
        description="The least `minConfidence` there is: less certain detections are not kept at all."
    )
    is_ready: bool = strawberry.field(description="False: its weights will be fetched on first use.")
    is_default: bool = strawberry.field(description="Whether analyses that name no model use it.")

    @classmethod
    def from_spec(cls, spec: MLModelSpec, *, ready: bool, default: bool) -> Self:
        """The model of this entry of the catalogue."""
        return cls(
            id=global_id("MLModel", spec.name),
            name=spec.name,
            task=spec.task,
            labels=list(spec.labels),
            description=spec.description,
            license=spec.license,
            weights_bytes=None if spec.weights is None else BigInt(spec.weights.size_bytes),
            default_confidence=spec.default_confidence,
            floor_confidence=spec.floor_confidence,
            is_ready=ready,
            is_default=default,
        )


@strawberry.type
class MLModelQueries:
    @field("The models of this server.", signed_in=True)
    async def ml_models(self, info: Info, task: MLTask | None = None) -> list[MLModel]:
        models = await asyncio.to_thread(_list_models, info.context)
        return [model for model in models if task is None or model.task == task]


def _list_models(context: Context) -> list[MLModel]:
    settings = context.state.settings
    weights_dir, mirror = settings.resolved_weights_dir(), settings.resolved_weights_mirror()
    default = default_model(weights_dir, mirror).name
    return [
        MLModel.from_spec(spec, ready=is_ready(spec, weights_dir, mirror), default=spec.name == default)
        for spec in all_specs().values()
    ]


async def load_ml_models(context: Context) -> dict[str, MLModel]:
    """Every model by its name."""
    return {model.name: model for model in await asyncio.to_thread(_list_models, context)}


async def load_ml_model(context: Context, name: str) -> MLModel | None:
    """The node loader of `MLModel`: everybody who is signed in sees every model."""
    await context.require_viewer()
    try:
        find_spec(name)
    except UnknownModelError:
        return None
    models = await asyncio.to_thread(_list_models, context)
    return next(model for model in models if model.name == name)
