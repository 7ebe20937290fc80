"""A model from a file in the models folder, through worker and analysis process."""

import pytest

from domain.analyses.files import ResultFormat
from domain.analyses.models import AnalysisStatus
from domain.analyses.settings import AnalysisSettings
from ml_models.catalog import use_models_dir
from tests.ml_models import onnx_graphs
from tests.tasks.harness import harness

MODEL_FILE = """
name: own-things
family: yolox
labels: [a, b, c]
weights: things.onnx
"""


@pytest.fixture
def models_dir(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "things.yaml").write_text(MODEL_FILE)
    use_models_dir(folder)
    yield folder
    use_models_dir(None)


async def test_another_configuration_under_the_same_name_is_used_at_once(tmp_path, models_dir, media_dir):
    """Also by a process that has the former model loaded, and never with its detections."""
    settings = AnalysisSettings("own-things", min_confidence=0.1, frame_stride=8)
    clip = media_dir / "gestures" / "eat.mkv"
    async with harness(tmp_path / "data", None, models_dir=models_dir, slots=1) as work:

        async def result():
            analysis = await work.analyse(clip, settings)
            assert analysis.status == AnalysisStatus.SUCCEEDED, analysis.error_message
            return analysis.frames_reused, await work.result(analysis, ResultFormat.CSV)

        onnx_graphs.yolox(models_dir / "things.onnx")
        first = await result()
        assert len(first[1].splitlines()) > 3
        reused, again = await result()
        assert reused > 0
        assert again == first[1]
        (models_dir / "things.yaml").write_text(MODEL_FILE + "channels: RGB\n")
        reused, changed = await result()
        assert reused == 0
        assert changed != first[1]
        (models_dir / "things.yaml").write_text(MODEL_FILE)
        reused, back = await result()
        assert reused > 0
        assert back == first[1]


async def test_a_model_file_that_became_wrong_fails_the_analysis_with_its_name(
    tmp_path, models_dir, media_dir
):
    onnx_graphs.yolox(models_dir / "things.onnx")
    clip = media_dir / "gestures" / "eat.mkv"
    async with harness(tmp_path / "data", None, models_dir=models_dir, slots=1) as work:
        (models_dir / "things.yaml").write_text(MODEL_FILE.replace("yolox", "yolo0"))
        analysis = await work.analyse(clip, AnalysisSettings("own-things"))
        assert analysis.status == AnalysisStatus.FAILED
        assert "things.yaml: family: must be one of" in analysis.error_message
