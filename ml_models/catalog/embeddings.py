"""Models that describe what others found, so that it is known again."""

from ml_models.catalog.addresses import OPENCV_ZOO
from ml_models.catalog.spec import ONNX_DEVICES, MLModelSpec, MLTask, Weights

EMBEDDINGS = (
    MLModelSpec(
        name="mobilefacenet",
        task=MLTask.FACE_EMBEDDING,
        labels=("face",),
        description="Describes a face, turned upright by its five landmarks, in 128 numbers.",
        license="Apache-2.0",
        implementation="ml_models.mobilefacenet.model:MobileFaceNet",
        weights=Weights(
            file_name="mobilefacenet.onnx",
            url="",
            sha256="b7120c095d60094f28a4a54ba6a8bf51b297a6273fb40ef6350dfec1f63d9507",
            size_bytes=3_998_070,
        ),
        devices=ONNX_DEVICES,
        input_size=(112, 112),
        training_data="MS-Celeb-1M, refined: photos of celebrities from the web, withdrawn by its publisher",
        known_limits="Unsure of faces below 50 pixels, in profile or half hidden; unequally good for "
        "different groups of people",
        embedding_size=128,
        needs_landmarks=True,
        same_similarity=0.35,
        # Measured by benchmarks.people on tracks, the means of up to 16 faces: different people before one
        # camera reach 0.46, 99.5 % of all pairs of two stay below 0.36; one person, near and far, has 0.57.
        join_similarity=0.52,
    ),
    MLModelSpec(
        name="sface",
        task=MLTask.FACE_EMBEDDING,
        labels=("face",),
        description="Describes a face as mobilefacenet does, with the weights of OpenCV's model zoo.",
        license="Apache-2.0",
        implementation="ml_models.sface.model:SFace",
        weights=Weights(
            file_name="face_recognition_sface_2021dec.onnx",
            url=f"{OPENCV_ZOO}/main/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
            sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
            size_bytes=38_696_353,
        ),
        devices=ONNX_DEVICES,
        input_size=(112, 112),
        training_data="Photos of celebrities from the web; its publisher does not say which",
        known_limits="As mobilefacenet",
        embedding_size=128,
        needs_landmarks=True,
        same_similarity=0.363,
        # Not measured: as far from OpenCV's threshold for two photos as mobilefacenet's is.
        join_similarity=0.53,
    ),
    MLModelSpec(
        name="person-reid-0288",
        task=MLTask.REIDENTIFICATION,
        labels=("person",),
        description="Describes how a person looks, seen whole, in 256 numbers: to find them again later.",
        license="Apache-2.0",
        implementation="ml_models.person_reid.model:PersonReID",
        weights=Weights(
            file_name="person-reidentification-retail-0288.onnx",
            url="",
            sha256="f3966d905e7232026aa8b814c328231a7b45c5b6b4dd32f886894223c4441b80",
            size_bytes=813_323,
        ),
        devices=ONNX_DEVICES,
        input_size=(128, 256),
        training_data="Persons in shops and streets that its publisher (Intel) does not name",
        known_limits="Goes by clothes: other clothes make another person, the same clothes the same one",
        embedding_size=256,
        same_similarity=0.8,
    ),
)
