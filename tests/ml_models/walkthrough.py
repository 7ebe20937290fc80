"""The package that docs/ml_models.md walks through, taken from its text, built and installed."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs" / "ml_models.md"


def documented_files() -> dict[str, str]:
    """Path and text of each file that the page shows."""
    blocks = re.findall(
        r"<!-- file: (\S+) -->\n```\w+\n(.*?)```\n", DOCS.read_text(encoding="utf-8"), re.DOTALL
    )
    return dict(blocks)


def install(work_dir: Path) -> Path:
    """Write the files into `work_dir`, build the package as an installer would, and unpack it; its folder."""
    for path, text in documented_files().items():
        target = work_dir / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    site = work_dir / "site"
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", build, str(work_dir)],
        cwd=work_dir / "blue-things",
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(work_dir / done.stdout.strip().splitlines()[-1]) as wheel:
        wheel.extractall(site)
    return site
