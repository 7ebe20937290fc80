"""The detectors of torchvision with their official weights, which need the extra `torch`.

Of the SHA-256 of a file, torchvision publishes the first eight digits, as part of its name. The whole
checksums and the sizes here are those on which several public repositories agree; each begins with the eight
published digits and fits the size that torchvision states. A file that differs is not used.
"""

from ml_models.catalog.spec import TORCH_DEVICES, MLModelSpec, MLTask, OptionValue, Weights
from ml_models.coco import COCO_LABELS

_BASE = "https://download.pytorch.org/models"
_COCO = "COCO 2017: photos from Flickr under various Creative Commons licences"
_SLOW = "Made for graphics cards: takes seconds for a frame on one core of a CPU"


def _spec(
    architecture: str,
    *,
    file_name: str,
    sha256: str,
    size_bytes: int,
    description: str,
    known_limits: str,
    labels: tuple[str, ...] = COCO_LABELS,
    task: MLTask = MLTask.OBJECT_DETECTION,
    epsilon: float = 1e-5,
    input_size: tuple[int, int] | None = None,
    revision: int = 1,
) -> MLModelSpec:
    options: dict[str, OptionValue] = {
        "architecture": architecture,
        "sparse_coco_ids": labels == COCO_LABELS,
        "frozen_batch_norm_epsilon": epsilon,
        "keypoints": 17,
        "masks": True,
        "min_size": 0,
        "max_size": 0,
        "precision": "float32",
    }
    return MLModelSpec(
        name=f"torchvision-{architecture.replace('_', '-')}",
        task=task,
        labels=labels,
        description=description,
        license="BSD-3-Clause",
        implementation="ml_models.torchvision_models.model:TorchvisionDetector",
        weights=Weights(
            file_name=file_name, url=f"{_BASE}/{file_name}", sha256=sha256, size_bytes=size_bytes
        ),
        requires_extra="torch",
        devices=TORCH_DEVICES,
        floor_confidence=0.1,
        default_confidence=0.5,
        input_size=input_size,
        training_data=_COCO,
        known_limits=known_limits,
        options=options,
        revision=revision,
    )


TORCHVISION = (
    _spec(
        "ssdlite320_mobilenet_v3_large",
        file_name="ssdlite320_mobilenet_v3_large_coco-a79551df.pth",
        sha256="a79551df90c79834bcd3bb3845ef9d966b5449a3a9b2833ae8404778ca5d65d2",
        size_bytes=14_069_355,
        description="Finds 80 kinds of everyday things; the smallest of torchvision.",
        known_limits="Misses small things: sees each frame stretched to 320x320",
        input_size=(320, 320),
    ),
    _spec(
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        file_name="fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth",
        sha256="907ea3f91ff92242bc1baea8049276a3e76bca48ce7560bd268cc029f37977b5",
        size_bytes=77_844_807,
        description="Finds 80 kinds of everyday things; Faster R-CNN for a CPU, on small pictures.",
        known_limits="Misses small things: sees frames with the shortest side scaled to 320",
    ),
    _spec(
        "fasterrcnn_mobilenet_v3_large_fpn",
        file_name="fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth",
        sha256="fb6a3cc702b1df54c18a44b26708cd083614211062d0c36d2ca7bf9270df3533",
        size_bytes=77_844_807,
        description="Finds 80 kinds of everyday things; Faster R-CNN for a CPU, on large pictures.",
        known_limits="Less sure of what it finds than those with a larger backbone",
    ),
    _spec(
        "fasterrcnn_resnet50_fpn_v2",
        file_name="fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
        sha256="dd69338a24b8d7381807e247652bdc356325bcbaf1cd3e092e00e0a1a58706bf",
        size_bytes=175_221_657,
        description="Finds 80 kinds of everyday things, small ones too; the best boxes of torchvision.",
        known_limits=_SLOW,
    ),
    _spec(
        "retinanet_resnet50_fpn_v2",
        file_name="retinanet_resnet50_fpn_v2_coco-5905b1c5.pth",
        sha256="5905b1c544219215e544dbe319720397bc4e68de61a733a59350d7976645b769",
        size_bytes=153_130_989,
        description="Finds 80 kinds of everyday things in one pass.",
        known_limits=_SLOW,
    ),
    _spec(
        "maskrcnn_resnet50_fpn_v2",
        file_name="maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
        sha256="73cbd0190fcbe3ba339921fbce2c3a0b6bb9126c9a133c85e43a2a8e060a109e",
        size_bytes=185_828_065,
        description="Finds 80 kinds of everyday things, and the mask of each: the pixels that it covers.",
        known_limits=_SLOW,
        revision=2,
    ),
    _spec(
        "keypointrcnn_resnet50_fpn",
        file_name="keypointrcnn_resnet50_fpn_coco-fc266e95.pth",
        sha256="fc266e953d2b302cdcbb9ae66f71f6b0d4649928bf02dc573961e361e4918926",
        size_bytes=237_034_793,
        description="Finds persons, and 17 points of each body, from the nose to the ankles.",
        known_limits=_SLOW,
        labels=("person",),
        task=MLTask.PERSON_DETECTION,
        epsilon=0.0,
        revision=2,
    ),
)
