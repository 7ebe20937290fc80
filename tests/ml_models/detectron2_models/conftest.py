"""Detectron2 is installed by its users: without it these tests are skipped. With it they run for real."""

from importlib.util import find_spec

import pytest

from ml_models.catalog import use_models_dir

MISSING = [name for name in ("torch", "detectron2") if find_spec(name) is None]
REASON = f"{' and '.join(MISSING)} not installed: see docs/models-torch.md"


def pytest_collection_modifyitems(items):
    for item in items:
        if "detectron2_models" in item.path.parts:
            # PyTorch and Detectron2 warn about themselves.
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def shapes_dir(tmp_path_factory):
    """A models folder with a Faster R-CNN that was trained here, `own-shapes`."""
    from tests.ml_models.detectron2_models import tiny

    folder = tmp_path_factory.mktemp("models")
    cfg = tiny.faster_rcnn()
    tiny.save(folder, "shapes", cfg, tiny.train(cfg))
    return folder


@pytest.fixture
def models_dir(tmp_path):
    """An empty models folder, in use."""
    folder = tmp_path / "models"
    folder.mkdir()
    use_models_dir(folder)
    yield folder
    use_models_dir(None)


@pytest.fixture
def shapes(shapes_dir, tmp_path):
    from ml_models.factory import create_ml_model

    use_models_dir(shapes_dir)
    yield create_ml_model("own-shapes", weights_dir=tmp_path)
    use_models_dir(None)
