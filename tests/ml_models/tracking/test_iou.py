"""The overlap of few boxes is the library's, to the bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trackers import IoU

from ml_models.tracking.iou import FewBoxesIoU

coordinates = st.floats(-100, 4000, width=32) | st.integers(0, 40).map(float)


def boxes(dtype):
    return st.lists(st.tuples(*[coordinates] * 4), max_size=4).map(
        lambda rows: np.array(rows, dtype=dtype).reshape(-1, 4)
    )


@given(boxes(np.float64), boxes(np.float32))
def test_it_is_the_librarys(ones, others):
    found, expected = FewBoxesIoU().compute(ones, others), IoU().compute(ones, others)
    assert found.shape == expected.shape
    assert found.tolist() == expected.tolist()
    if len(ones) and len(others):
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_as_there(bad):
    with pytest.raises(ValueError, match="non-finite"):
        FewBoxesIoU().compute(np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, bad, 10]]))
