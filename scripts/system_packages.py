"""Installs the Debian packages that some tests need, where that is possible: as root, with apt-get.

Elsewhere it says which tests will be skipped, and the run goes on.
"""

import os
import shutil
import subprocess
import sys

NEEDS = {
    "the browser tests": {"chromium": "chromium"},
    "the S3 tests": {"radosgw": "radosgw", "ceph-mon": "ceph-mon", "ceph-osd": "ceph-osd"},
}
"""What needs which program, and the package that holds it."""


def main() -> int:
    """Install what is missing; 1 if that was tried and failed."""
    missing = {
        what: [package for program, package in programs.items() if shutil.which(program) is None]
        for what, programs in NEEDS.items()
    }
    packages = sorted({package for names in missing.values() for package in names})
    if not packages:
        return 0
    apt_get = shutil.which("apt-get")
    if os.geteuid() != 0 or apt_get is None:
        for what, names in missing.items():
            if names:
                sys.stderr.write(f"Without {', '.join(names)}, {what} are skipped.\n")
        return 0
    sys.stderr.write(f"Installing {', '.join(packages)} …\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        finished = subprocess.run(
            [apt_get, "--quiet", *command], env=environment, capture_output=True, text=True
        )
        if finished.returncode:
            sys.stderr.write(finished.stdout[-2000:] + finished.stderr[-2000:])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
