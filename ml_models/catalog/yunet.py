"""YuNet, a small network that finds faces."""

from ml_models.catalog.addresses import OPENCV_ZOO
from ml_models.catalog.spec import ONNX_DEVICES, MLModelSpec, MLTask, Weights

YUNET = (
    MLModelSpec(
        name="yunet-2026may",
        task=MLTask.FACE_DETECTION,
        labels=("face",),
        description="Finds faces, turned and small ones too, and five landmarks of each: the first choice.",
        license="MIT",
        implementation="ml_models.yunet.model:YuNet",
        weights=Weights(
            file_name="face_detection_yunet_2026may.onnx",
            url=f"{OPENCV_ZOO}/main/models/face_detection_yunet/face_detection_yunet_2026may.onnx",
            sha256="ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
            size_bytes=229_738,
        ),
        devices=ONNX_DEVICES,
        gives_landmarks=True,
        keeps_quality_in_bfloat16=True,
        floor_confidence=0.3,
        default_confidence=0.6,
        training_data="WIDER FACE: photos from the web, published for research",
        known_limits="Misses faces below 1/40 of the frame's longest side, upside down, or seen from behind",
        options={"longest_side": 640},
    ),
    MLModelSpec(
        name="yunet-2023mar",
        task=MLTask.FACE_DETECTION,
        labels=("face",),
        description="The network of yunet-2026may, exported for one input size: the same faces, slower.",
        license="MIT",
        implementation="ml_models.yunet.model:YuNet",
        weights=Weights(
            file_name="face_detection_yunet_2023mar.onnx",
            url=f"{OPENCV_ZOO}/4.10.0/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
            sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            size_bytes=232_589,
        ),
        devices=ONNX_DEVICES,
        gives_landmarks=True,
        keeps_quality_in_bfloat16=True,
        floor_confidence=0.3,
        default_confidence=0.6,
        input_size=(640, 640),
        training_data="WIDER FACE: photos from the web, published for research",
        known_limits="As yunet-2026may",
    ),
)
