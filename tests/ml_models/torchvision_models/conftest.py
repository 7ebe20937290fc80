"""torchvision comes with the extra `torch`: without it these tests are skipped. With it they run for real."""

from importlib.util import find_spec

import pytest

MISSING = [name for name in ("torch", "torchvision") if find_spec(name) is None]


def pytest_collection_modifyitems(items):
    for item in items:
        if "torchvision_models" in item.path.parts:
            item.add_marker(pytest.mark.filterwarnings("ignore"))  # PyTorch warns about itself
            if MISSING:
                reason = f"{' and '.join(MISSING)} not installed: they come with the extra torch"
                item.add_marker(pytest.mark.skip(reason=reason))
