"""Datumaro in an environment of its own: its pins (pyarrow 25, pillow 12, pandas 2) exclude those of the lock."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.clients.node import skip_or_fail

_LOCK = Path(__file__).with_name("datumaro.lock")

_READ = """
import json, sys
from datumaro import Dataset

dataset = Dataset.import_from(sys.argv[1], "cvat")
labels = [label.name for label in next(iter(dataset.categories().values()))]
boxes = [
    [item.attributes["frame"], labels[box.label], *map(float, box.points), box.attributes]
    for item in dataset
    for box in item.annotations
]
json.dump({"labels": labels, "boxes": boxes}, sys.stdout)
"""


def read_cvat(path: Path) -> dict[str, Any]:
    """What Datumaro finds in CVAT XML: labels, and boxes as [frame, label, x1, y1, x2, y2, attributes].

    Polygons are among them, with as many coordinates as they have.
    """
    done = subprocess.run([_python(), "-I", "-c", _READ, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _python() -> Path:
    """The interpreter of the environment, made by uv on first use and kept beside the tests' own."""
    name = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    folder = Path(sys.prefix) / "tools" / f"datumaro-{name}"
    python, is_complete = folder / "bin" / "python", folder / "complete"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not is_complete.exists():
            uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
            if uv is None:
                skip_or_fail("The test with Datumaro needs uv, to make an environment for it.")
            make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder]
            install = [uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--require-hashes"]
            for command in (make, [*install, "-r", _LOCK]):
                done = subprocess.run(command, capture_output=True, text=True, timeout=300)
                if done.returncode:
                    skip_or_fail(f"Datumaro cannot be installed: {done.stderr.strip()[-400:]}")
            is_complete.touch()
    return python
