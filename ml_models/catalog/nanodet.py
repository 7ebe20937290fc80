"""NanoDet, which finds the things of COCO."""

from ml_models.catalog.addresses import OPENCV_ZOO
from ml_models.catalog.spec import ONNX_DEVICES, MLModelSpec, MLTask, Weights
from ml_models.coco import COCO_LABELS

NANODET = (
    MLModelSpec(
        name="nanodet-m-416",
        task=MLTask.OBJECT_DETECTION,
        labels=COCO_LABELS,
        description="Finds 80 kinds of everyday things, persons among them; slower than yolox-nano.",
        license="Apache-2.0",
        implementation="ml_models.nanodet.model:NanoDet",
        weights=Weights(
            file_name="object_detection_nanodet_2022nov.onnx",
            url=f"{OPENCV_ZOO}/main/models/object_detection_nanodet/object_detection_nanodet_2022nov.onnx",
            sha256="4b82da9944b88577175ee23a459dce2e26e6e4be573def65b1055dc2d9720186",
            size_bytes=3_800_954,
        ),
        devices=ONNX_DEVICES,
        keeps_quality_in_bfloat16=True,
        floor_confidence=0.1,
        default_confidence=0.35,
        input_size=(416, 416),
        training_data="COCO 2017: photos from Flickr under various Creative Commons licences",
        known_limits="Misses things below 1/10 of the frame's longest side; of things of different kinds "
        "in one place it keeps one",
    ),
)
