"""Models at the edge: what there is to choose from."""

import asyncio
from collections.abc import Sequence
from typing import Self

import strawberry

from graphql_api.context import Context, Info
from graphql_api.fields import field
from graphql_api.relay import Node, global_id
from graphql_api.scalars import BigInt
from ml_models.catalog import MLModelSpec, MLTask, all_specs
from ml_models.factory import default_model
from ml_models.measurements import Measurements, Quality, measured
from ml_models.weights import is_ready
from tasks.own_models.find import uploaded_specs

strawberry.enum(MLTask, description="What a model does.")


@strawberry.type(name="MLModelQuality", description="How good a model is, by one measure.")
class MLModelQuality:
    metric: str = strawberry.field(description="The measure, such as `AP50`.")
    value: float = strawberry.field(description="What came out.")
    data: str = strawberry.field(description="On which labelled data.")
    command: str = strawberry.field(description="The command that measured it.")

    @classmethod
    def from_quality(cls, quality: Quality) -> Self:
        """One measured figure."""
        return cls(metric=quality.metric, value=quality.value, data=quality.data, command=quality.command)


@strawberry.type(
    name="MLModel", description="A model: one that finds things, or one that describes what others found."
)
class MLModel(Node):
    name: str = strawberry.field(description="What to give as `mlModel`.")
    task: MLTask = strawberry.field(description="What it does.")
    labels: list[str] = strawberry.field(description="Every label it may give, or describe.")
    description: str = strawberry.field(description="What it is good for.")
    license: str = strawberry.field(description="Licence of its code or weights, by SPDX name.")
    training_data: str = strawberry.field(
        description="What it was trained on, as far as that bears on its use; empty if nothing is known."
    )
    known_limits: str = strawberry.field(description="Where it fails; empty if nothing is known.")
    weights_bytes: BigInt | None = strawberry.field(
        description="Size of the weights it needs; null if it needs none, or they come with its extra."
    )
    weights_sha256: str | None = strawberry.field(
        description="SHA-256 of these weights. No others are used under its name but the same network as "
        "another exporter wrote it, where the catalogue names that file, too."
    )
    input_width: int | None = strawberry.field(
        description="Width in pixels to which frames are scaled; null if that follows the frame."
    )
    input_height: int | None = strawberry.field(
        description="Height in pixels to which frames are scaled; null if that follows the frame."
    )
    embedding_size: int | None = strawberry.field(
        description="How many numbers describe one thing; null if it describes nothing."
    )
    same_similarity: float | None = strawberry.field(
        description="The cosine similarity from which two descriptions are taken to be of one person; "
        "null if it describes nothing."
    )
    devices: list[str] = strawberry.field(
        description="What it can compute on: `cpu`, `cuda`, `mps`. Elsewhere it computes on the CPU."
    )
    milliseconds_per_frame: float | None = strawberry.field(
        description="How long it takes for a frame, or for describing one thing, with one thread of the CPU "
        "that `measuredOn` names; null if it was not measured."
    )
    measured_on: str | None = strawberry.field(
        description="On what that was measured, and with which command; null if it was not."
    )
    quality: list[MLModelQuality] = strawberry.field(
        description="What was measured of how good it is; empty where there was no labelled data to do so."
    )
    default_confidence: float = strawberry.field(
        description="The `minConfidence` of analyses that name none."
    )
    floor_confidence: float = strawberry.field(
        description="The least `minConfidence` there is: less certain detections are not kept at all."
    )
    requires_extra: str | None = strawberry.field(
        description="What must be installed for it; null if it needs nothing."
    )
    is_installed: bool = strawberry.field(
        description="Whether that is installed where the API runs; analyses cannot use it otherwise."
    )
    how_to_install: str | None = strawberry.field(
        description="How to install it; null if there is nothing to install."
    )
    can_analyze: bool = strawberry.field(
        description="Whether analyses can use it; models that describe what others found are used by these."
    )
    is_ready: bool = strawberry.field(
        description="False: its weights will be fetched on first use, or something must be installed first."
    )
    is_default: bool = strawberry.field(description="Whether analyses that name no model use it.")

    @classmethod
    def from_spec(cls, spec: MLModelSpec, *, ready: bool, default: bool) -> Self:
        """The model of this entry of the catalogue."""
        extra, size, figures = spec.extra, spec.input_size, measured(spec.name)
        return cls(
            id=global_id("MLModel", spec.name),
            name=spec.name,
            task=spec.task,
            labels=list(spec.labels),
            description=spec.description,
            license=spec.license,
            training_data=spec.training_data,
            known_limits=spec.known_limits,
            weights_bytes=None if spec.weights is None else BigInt(spec.weights.size_bytes),
            weights_sha256=None if spec.weights is None else spec.weights.sha256,
            input_width=None if size is None else size[0],
            input_height=None if size is None else size[1],
            embedding_size=spec.embedding_size,
            same_similarity=spec.same_similarity,
            devices=[device.value for device in spec.devices],
            milliseconds_per_frame=figures.speed.milliseconds_1_thread if figures.speed else None,
            measured_on=_measured_on(figures),
            quality=[MLModelQuality.from_quality(quality) for quality in figures.quality],
            default_confidence=spec.default_confidence,
            floor_confidence=spec.floor_confidence,
            requires_extra=spec.requires_extra,
            is_installed=spec.is_installed,
            how_to_install=None if extra is None else extra.how_to_install,
            can_analyze=spec.task.is_detection and spec.is_installed,
            is_ready=ready,
            is_default=default,
        )


def forgotten_model(name: str) -> MLModel:
    """What is left of a model whose package was removed after an analysis used it."""
    spec = MLModelSpec(
        name=name,
        task=MLTask.OBJECT_DETECTION,
        labels=("forgotten",),
        description="This model is no longer installed.",
        license="",
        implementation=":",
        floor_confidence=0.0,
    )
    model = MLModel.from_spec(spec, ready=False, default=False)
    model.labels, model.is_installed, model.can_analyze = [], False, False
    return model


def _measured_on(figures: Measurements) -> str | None:
    speed = figures.speed
    return None if speed is None else f"{speed.cpu}, one thread, {speed.image}: {speed.command}"


@strawberry.type
class MLModelQueries:
    @field("The models of this server.", signed_in=True)
    async def ml_models(self, info: Info, task: MLTask | None = None) -> list[MLModel]:
        models = await _every_model(info.context)
        return [model for model in models if task is None or model.task == task]


async def _every_model(context: Context) -> list[MLModel]:
    uploaded = await uploaded_specs()
    return await asyncio.to_thread(_list_models, context, uploaded)


def _list_models(context: Context, uploaded: Sequence[MLModelSpec]) -> list[MLModel]:
    settings = context.state.settings
    weights_dir, mirror = settings.resolved_weights_dir(), settings.resolved_weights_mirror()
    default = default_model(weights_dir, mirror).name
    return [
        MLModel.from_spec(spec, ready=is_ready(spec, weights_dir, mirror), default=spec.name == default)
        for spec in all_specs().values()
    ] + [MLModel.from_spec(spec, ready=True, default=False) for spec in uploaded]


async def load_ml_models(context: Context) -> dict[str, MLModel]:
    """Every model by its name."""
    return {model.name: model for model in await _every_model(context)}


async def load_ml_model(context: Context, name: str) -> MLModel | None:
    """The node loader of `MLModel`: everybody who is signed in sees every model."""
    await context.require_viewer()
    return (await load_ml_models(context)).get(name)
