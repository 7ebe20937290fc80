"""Models that other packages offer: found, or refused with the package's name."""

import importlib
import sys

import pytest

from ml_models import catalog
from ml_models.catalog import all_specs, broken_models, find_spec
from ml_models.errors import PluginError, UnknownModelError
from ml_models.factory import create_ml_model

SPEC = """
from ml_models.catalog import MLModelSpec, MLTask
SPEC = MLModelSpec(
    name="{name}", task=MLTask.OBJECT_DETECTION, labels=("thing",), description="", license="MIT",
    implementation="{implementation}",
)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a package with one entry point on the path, as an installer would."""
    monkeypatch.syspath_prepend(str(tmp_path))

    installed = []

    def install(package, entry_point, source):
        installed.append(package)
        (tmp_path / f"{package}.py").write_text(source)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[framewise.ml_models]\n{entry_point}\n")
        importlib.invalidate_caches()
        catalog._plugin_specs.cache_clear()

    yield install
    for package in installed:
        sys.modules.pop(package, None)
    catalog._plugin_specs.cache_clear()


def test_a_package_adds_a_model(install):
    install("more_models", "more = more_models:SPEC", SPEC.format(name="more", implementation="a:B"))
    assert all_specs()["more"] is find_spec("more")
    assert next(iter(all_specs())) == "yunet-2026may"


@pytest.mark.parametrize(
    ("entry_point", "source", "problem"),
    [
        (
            "bad = bad_one:SPEC",
            "import a_library_nobody_has",
            "ModuleNotFoundError: No module named 'a_library",
        ),
        ("bad = bad_one:NOTHING", "", "AttributeError"),
        ("bad = bad_one:SPEC", "SPEC = {'name': 'bad'}", "is a dict, not an MLModelSpec"),
        ("bad = bad_one:SPEC", SPEC.format(name="good", implementation="a:B"), "calls itself 'good'"),
        (
            "yolox-nano = bad_one:SPEC",
            SPEC.format(name="yolox-nano", implementation="a:B"),
            "takes a name that another model has",
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_named_with_the_cause(install, entry_point, source, problem):
    install("bad_one", entry_point, source)
    [broken] = broken_models()
    assert problem in str(broken.error)
    assert "of the package 'bad_one'" in str(broken.error)
    assert "bad" not in all_specs()
    assert "opencv-haar-face" in all_specs()
    if broken.name == "bad":
        with pytest.raises(PluginError, match="of the package 'bad_one'"):
            find_spec("bad")
    assert find_spec("yolox-nano").implementation == "ml_models.yolox.model:YOLOX", "ours go on working"


@pytest.mark.parametrize(
    ("implementation", "problem"),
    [
        ("not_there:Model", "cannot be imported: ModuleNotFoundError"),
        ("late:Model", "cannot be imported: AttributeError"),
        ("late:SPEC", "is no AbstractImageAnalysisMLModel"),
        ("pathlib:Path", "is no AbstractImageAnalysisMLModel"),
    ],
)
def test_an_implementation_that_cannot_be_used_is_named(install, tmp_path, implementation, problem):
    install("late", "late = late:SPEC", SPEC.format(name="late", implementation=implementation))
    with pytest.raises(PluginError, match=problem) as caught:
        create_ml_model("late", weights_dir=tmp_path)
    assert implementation in str(caught.value)
    assert "the model late" in str(caught.value)


def test_without_it_the_name_is_unknown():
    catalog._plugin_specs.cache_clear()
    with pytest.raises(UnknownModelError):
        find_spec("more")
