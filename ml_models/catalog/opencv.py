"""The detectors inside OpenCV: they need no weights."""

from ml_models.catalog.spec import MLModelSpec, MLTask

OPENCV = (
    MLModelSpec(
        name="opencv-haar-face",
        task=MLTask.FACE_DETECTION,
        labels=("face",),
        description="Finds upright faces that look at the camera; needs no weights, takes much longer.",
        license="BSD-3-Clause",
        implementation="ml_models.opencv_haar.model:OpenCVHaarFace",
        floor_confidence=0.1,
        default_confidence=0.5,
        training_data="Photos of faces that its author (Lienhart, at Intel, about 2000) did not publish",
        known_limits="Misses faces that are turned, tilted, dark or half hidden; sees some in patterns",
        options={"longest_side": 640},
    ),
    MLModelSpec(
        name="opencv-hog-person",
        task=MLTask.PERSON_DETECTION,
        labels=("person",),
        description="Finds some upright persons seen whole; needs no weights, but is a last resort.",
        license="Apache-2.0",
        implementation="ml_models.opencv_hog.model:OpenCVHOGPerson",
        floor_confidence=0.1,
        default_confidence=0.5,
        training_data="INRIA Person: holiday photos, published for research",
        known_limits="Misses persons who are seated, bent or cut off; takes bottles and posts for persons",
        options={"longest_side": 480},
    ),
)
