"""YOLOX, which finds the things of COCO."""

from ml_models.catalog.spec import ONNX_DEVICES, MLModelSpec, MLTask, Weights, WeightsBuild
from ml_models.coco import COCO_LABELS

_RELEASE = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"

_NANO_EXPORT = (
    "https://raw.githubusercontent.com/Kazuhito00/YOLOX-ONNX-TFLite-Sample/"
    "3d4f1119d0694200671c08069ecb847aa0d8495a/model"
)

_TRAINING_DATA = "COCO 2017: photos from Flickr under various Creative Commons licences"


def _larger(
    size: str, description: str, *, side: int, sha256: str, size_bytes: int, known_limits: str
) -> MLModelSpec:
    """A network of the family that is not the smallest; `side` is that of its input."""
    return MLModelSpec(
        name=f"yolox-{size}",
        task=MLTask.OBJECT_DETECTION,
        labels=COCO_LABELS,
        description=description,
        license="Apache-2.0",
        implementation="ml_models.yolox.model:YOLOX",
        weights=Weights(f"yolox_{size}.onnx", f"{_RELEASE}/yolox_{size}.onnx", sha256, size_bytes),
        devices=ONNX_DEVICES,
        floor_confidence=0.1,
        default_confidence=0.4,
        input_size=(side, side),
        training_data=_TRAINING_DATA,
        known_limits=known_limits,
    )


YOLOX = (
    MLModelSpec(
        name="yolox-nano",
        task=MLTask.OBJECT_DETECTION,
        labels=COCO_LABELS,
        description="Finds 80 kinds of everyday things, persons among them; the smallest of its family.",
        license="Apache-2.0",
        implementation="ml_models.yolox.model:YOLOX",
        weights=Weights(
            file_name="yolox_nano.onnx",
            url=f"{_NANO_EXPORT}/yolox_nano.onnx",
            sha256="695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",
            size_bytes=3_660_092,
            source="Kazuhito00/YOLOX-ONNX-TFLite-Sample: yolox_nano.pth of Megvii's release 0.1.1rc0, "
            "exported with PyTorch 1.10",
            others=(
                WeightsBuild(
                    url=f"{_RELEASE}/yolox_nano.onnx",
                    sha256="c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
                    size_bytes=3_659_407,
                    source="Megvii's release 0.1.1rc0, exported with PyTorch 1.7",
                ),
            ),
        ),
        devices=ONNX_DEVICES,
        floor_confidence=0.1,
        default_confidence=0.4,
        input_size=(416, 416),
        training_data=_TRAINING_DATA,
        known_limits="Misses things below 1/10 of the frame's longest side and unusual views",
    ),
    _larger(
        "tiny",
        "The 80 kinds of things of yolox-nano, more of them found; six times the arithmetic.",
        side=416,
        sha256="427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7",
        size_bytes=20_219_662,
        known_limits="As yolox-nano, less often",
    ),
    _larger(
        "s",
        "The 80 kinds of things of yolox-nano, smaller ones too; 25 times the arithmetic.",
        side=640,
        sha256="c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
        size_bytes=35_858_002,
        known_limits="Misses things below 1/20 of the frame's longest side",
    ),
    _larger(
        "m",
        "The 80 kinds of things of yolox-nano, found best; 68 times the arithmetic, so for a GPU.",
        side=640,
        sha256="21ff6cfdeb53b013bac2249599e55f00bff3cfdfdab37ed7a4620818c1d15b3f",
        size_bytes=101_259_744,
        known_limits="Misses things below 1/20 of the frame's longest side",
    ),
)
