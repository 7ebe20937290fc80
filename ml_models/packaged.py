"""Files of weights that come with an installed package."""

from importlib.util import find_spec
from pathlib import Path

from ml_models.catalog import PackagedFile
from ml_models.checksums import verify_file
from ml_models.errors import WeightsUnavailableError


def packaged_path(file: PackagedFile) -> Path:
    """Where the file lies, checked. The package is not imported: its code may need what is not there.

    Raises:
        WeightsUnavailableError: The package, or the file in it, is missing.
        WeightsCorruptError: It is not the file that the catalogue names.
    """
    package = find_spec(file.package)
    folders = list(package.submodule_search_locations or ()) if package else []
    for folder in folders:
        path = Path(folder) / file.path
        if path.is_file():
            verify_file(path, [file.sha256], f"install the package {file.package} again")
            return path
    raise WeightsUnavailableError(f"the installed packages hold no {file.package}/{file.path}")
