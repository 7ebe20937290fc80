"""The face detector and the face description of dlib, which need the extra `dlib`."""

from ml_models.catalog.spec import MLModelSpec, MLTask, PackagedFile

_MODELS = "face_recognition_models"

DLIB = (
    MLModelSpec(
        name="dlib-hog-face",
        task=MLTask.FACE_DETECTION,
        labels=("face",),
        description="Finds upright faces that look at the camera, as the package face_recognition does.",
        license="BSL-1.0",
        implementation="ml_models.dlib_face.detector:DlibHOGFace",
        requires_extra="dlib",
        floor_confidence=0.3,
        default_confidence=0.5,
        training_data="2,825 photos of faces, labelled and published by dlib's author",
        known_limits="Misses faces below 1/16 of the frame's longest side, turned, tilted or half hidden",
        options={"longest_side": 640, "upsample": 1},
    ),
    MLModelSpec(
        name="dlib-resnet",
        task=MLTask.FACE_EMBEDDING,
        labels=("face",),
        description="Describes a face in 128 numbers, as the package face_recognition does; takes long.",
        license="LicenseRef-public-domain",
        implementation="ml_models.dlib_face.embedder:DlibResNet",
        packaged_files=(
            PackagedFile(
                package=_MODELS,
                path="models/shape_predictor_5_face_landmarks.dat",
                sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
                size_bytes=9_150_489,
            ),
            PackagedFile(
                package=_MODELS,
                path="models/dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                size_bytes=22_466_066,
            ),
        ),
        requires_extra="dlib",
        input_size=(150, 150),
        training_data="About 3 million faces: FaceScrub, VGGFace, and photos from the web",
        known_limits="As mobilefacenet; holds Python's lock while it works, so threads beside it wait",
        embedding_size=128,
        same_similarity=0.92,
    ),
)
