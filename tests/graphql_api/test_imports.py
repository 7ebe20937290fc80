"""The API starts light: what pixels need is loaded by analysis processes alone."""

import subprocess
import sys

HEAVY = ("cv2", "torch", "onnxruntime", "supervision", "trackers", "av", "matplotlib", "scipy")


def test_the_api_imports_nothing_that_pixels_need():
    code = f"import sys, graphql_api.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_the_worker_leaves_pixels_to_its_processes():
    code = f"import sys, tasks.worker; print([name for name in {HEAVY!r} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
