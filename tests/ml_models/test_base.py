"""What `analyze` does for, and demands of, an implementation."""

import numpy as np
import pytest
import supervision as sv

from ml_models.base import AbstractImageAnalysisMLModel
from ml_models.catalog import MLModelSpec, MLTask
from ml_models.errors import ModelFailedError, ModelLoadError, ModelOutputError

FRAME = np.zeros((40, 60, 3), np.uint8)


def spec_of(labels=("cat", "dog"), floor=0.2):
    return MLModelSpec(
        name="stub",
        task=MLTask.OBJECT_DETECTION,
        labels=labels,
        description="Returns what it is told to.",
        license="MIT",
        implementation="stubs:Stub",
        floor_confidence=floor,
    )


class Stub(AbstractImageAnalysisMLModel):
    def __init__(self, answer, spec=None):
        super().__init__(spec or spec_of())
        self.answer = answer

    def _load(self):
        pass

    def _analyze(self, frames):
        return self.answer


def detections(boxes, confidence, class_id=None, **data):
    result = sv.Detections(
        xyxy=np.zeros((len(boxes), 4)),
        confidence=None if confidence is None else np.array(confidence),
        class_id=None if class_id is None else np.array(class_id),
        data=data,
    )
    result.xyxy = np.array(boxes, dtype=float)  # set afterwards, as supervision checks only at the start
    return result


def test_boxes_are_clipped_and_empty_ones_dropped():
    boxes = [[-5, -5, 10, 10], [50, 30, 900, 900], [-20, 0, -1, 10], [5, 5, 5, 20], [10, 10, 4, 4]]
    (result,) = Stub([detections(boxes, [0.9, 0.8, 0.7, 0.6, 0.5], [0, 1, 0, 0, 0])]).analyze([FRAME])
    assert result.xyxy.tolist() == [[0, 0, 10, 10], [50, 30, 60, 40]]
    assert result.data["class_name"].tolist() == ["cat", "dog"]


def test_it_sorts_and_drops_below_the_floor_with_all_that_belongs_to_a_box():
    boxes = [[0, 0, 5, 5], [9, 0, 12, 5], [3, 0, 5, 5], [0, 0, 9, 9]]
    masks = np.zeros((4, 40, 60), bool)
    masks[np.arange(4), 0, np.arange(4)] = True
    answer = detections(boxes, [0.5, 0.9, 0.5, 0.1], [0, 1, 1, 0], order=np.arange(4), names=list("abcd"))
    answer.mask = masks
    (result,) = Stub([answer]).analyze([FRAME])
    assert result.xyxy.tolist() == [[9, 0, 12, 5], [0, 0, 5, 5], [3, 0, 5, 5]]
    assert result.confidence.tolist() == pytest.approx([0.9, 0.5, 0.5])
    assert result.data["order"].tolist() == [1, 0, 2]
    assert list(result.data["names"]) == ["b", "a", "c"]
    assert [int(np.flatnonzero(mask[0])[0]) for mask in result.mask] == [1, 0, 2]
    (compact,) = Stub([answer]).analyze([FRAME], compact_masks=True)
    assert compact.mask is None
    assert [one.columns.tolist() for one in compact.data["mask_runs"]] == [[1], [0], [2]]
    assert compact.xyxy.tolist() == result.xyxy.tolist()


@pytest.mark.parametrize("shape", [(2, 40, 61), (1, 40, 60), (2, 60, 40)])
def test_masks_are_of_the_frames_size(shape):
    answer = detections([[0, 0, 5, 5], [9, 0, 12, 5]], [0.5, 0.5], [0, 1])
    answer.mask = np.zeros(shape, bool)
    with pytest.raises(ModelOutputError, match="returned masks"):
        Stub([answer]).analyze([FRAME])


def test_names_give_ids_and_one_label_needs_neither():
    (by_name,) = Stub([detections([[0, 0, 5, 5]], [0.5], class_name=np.array(["dog"]))]).analyze([FRAME])
    assert by_name.class_id.tolist() == [1]
    (alone,) = Stub([detections([[0, 0, 5, 5]], [0.5])], spec_of(labels=("cat",))).analyze([FRAME])
    assert alone.data["class_name"].tolist() == ["cat"]


def test_nothing_found_still_has_every_field():
    (result,) = Stub([sv.Detections.empty()]).analyze([FRAME])
    assert result.xyxy.shape == (0, 4)
    assert (result.xyxy.dtype, result.confidence.dtype, result.class_id.dtype) == (
        np.float32,
        np.float32,
        np.int64,
    )
    assert len(result.data["class_name"]) == 0


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "a list with one result for each of 1 frames"),
        ([], "a list with one result for each of 1 frames"),
        ([sv.Detections.empty()] * 2, "a list with one result for each of 1 frames"),
        ([[1, 2, 3]], "must return sv.Detections, not list"),
        ([detections([[0, 0, 5, 5]], None, [0])], "a confidence"),
        ([detections([[0, 0, 5, 5]], [1.5], [0])], "a confidence outside 0 to 1"),
        ([detections([[0, 0, 5, 5]], [-0.1], [0])], "a confidence outside 0 to 1"),
        ([detections([[0, 0, 5, 5]], [np.nan], [0])], "a confidence outside 0 to 1"),
        ([detections([[0, 0, np.nan, 5]], [0.5], [0])], "a box that is not finite"),
        ([detections([[0, 0, np.inf, 5]], [0.5], [0])], "a box that is not finite"),
        ([detections([[0, 0, 5, 5]], [0.5])], "a class_id or a class_name"),
        ([detections([[0, 0, 5, 5]], [0.5], [2])], "a class_id outside 0 to 1"),
        ([detections([[0, 0, 5, 5]], [0.5], [-1])], "a class_id outside 0 to 1"),
        ([detections([[0, 0, 5, 5]], [0.5], class_name=np.array(["cow"]))], "the label 'cow'"),
    ],
)
def test_a_wrong_result_names_the_model_and_the_mistake(answer, problem):
    with pytest.raises(ModelOutputError) as caught:
        Stub(answer).analyze([FRAME])
    assert problem in str(caught.value)
    assert "the model stub (stubs:Stub)" in str(caught.value)


def test_a_failed_load_names_the_model_and_is_tried_again():
    class Broken(Stub):
        attempts = 0

        def _load(self):
            self.attempts += 1
            if self.attempts == 1:
                raise OSError("disk on fire")

    model = Broken([sv.Detections.empty()])
    with pytest.raises(ModelLoadError, match="the model stub cannot be loaded: OSError: disk on fire"):
        model.analyze([FRAME])
    assert len(model.analyze([FRAME])) == 1


def test_an_error_at_work_names_the_model():
    class Broken(Stub):
        def _analyze(self, frames):
            return [sv.Detections(xyxy=np.full((1, 4), np.nan))]

    with pytest.raises(
        ModelFailedError, match="the model stub failed: ValueError: xyxy must contain only finite"
    ):
        Broken(None).analyze([FRAME])
