"""Weights from folders and from a real HTTP server."""

import dataclasses
import hashlib
import http.server
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from ml_models.catalog import CATALOG, MLModelSpec, MLTask, Weights, WeightsBuild
from ml_models.errors import WeightsCorruptError, WeightsUnavailableError
from ml_models.weights import ensure_weights, find_weights, is_ready
from tests.ml_models.readiness import models_here

CONTENT = os.urandom(300_000)
FILE_NAME = "tiny.onnx"


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path; a path of `slow` gets its bytes in pieces."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.asked = []
        self.slow = set()

    def url(self, path=""):
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        self.server.asked.append(self.path)
        target = self.server.files.get(self.path)
        if target is None:
            self.send_error(404)
        elif isinstance(target, str):
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
        else:
            self.send_response(200)
            self.end_headers()
            step = 30_000 if self.path in self.server.slow else len(target) or 1
            for start in range(0, len(target), step):
                self.wfile.write(target[start : start + step])
                time.sleep(0.03 if self.path in self.server.slow else 0)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def spec_at(url, content=CONTENT):
    return MLModelSpec(
        name="tiny",
        task=MLTask.OBJECT_DETECTION,
        labels=("thing",),
        description="Is not run.",
        license="MIT",
        implementation="nowhere:Tiny",
        weights=Weights(FILE_NAME, url, hashlib.sha256(content).hexdigest(), len(content)),
    )


@pytest.fixture
def spec(server):
    server.files[f"/official/{FILE_NAME}"] = CONTENT
    return spec_at(server.url(f"official/{FILE_NAME}"))


def test_a_download_is_checked_named_and_reported(spec, tmp_path):
    directory = tmp_path / "a" / "weights"
    assert not is_ready(spec, directory)
    reports = []
    path = ensure_weights(spec, directory, on_progress=lambda done, total: reports.append((done, total)))
    assert path == directory / FILE_NAME
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o644
    assert os.listdir(directory) == [FILE_NAME]
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    assert reports == sorted(reports)
    assert is_ready(spec, directory)
    assert find_weights(spec, directory) == path


def test_what_is_there_is_not_fetched_again(spec, server, tmp_path):
    ensure_weights(spec, tmp_path)
    ensure_weights(spec, tmp_path)
    assert len(server.asked) == 1


def test_redirects_are_followed(server, tmp_path):
    server.files["/moved"] = server.url("real")
    server.files["/real"] = CONTENT
    assert ensure_weights(spec_at(server.url("moved")), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (CONTENT[:-1], "it is 299999 bytes long, expected 300000"),
        (CONTENT + b"x", "it is larger than 300000 bytes"),
        (os.urandom(300_000), "its SHA-256 is"),
        (b"version https://git-lfs.github.com/spec/v1", "it is 42 bytes long"),
        (None, "HTTP 404"),
    ],
)
def test_a_wrong_download_leaves_nothing_behind(spec, server, tmp_path, content, reason):
    server.files[f"/official/{FILE_NAME}"] = content
    with pytest.raises(WeightsUnavailableError) as caught:
        ensure_weights(spec, tmp_path)
    assert reason in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_an_endless_answer_is_cut_off(server, tmp_path):
    server.files["/endless"] = bytes(50_000_000)
    spec = spec_at(server.url("endless"))
    reports = []
    with pytest.raises(WeightsUnavailableError, match="it is larger than 300000 bytes"):
        ensure_weights(spec, tmp_path, on_progress=lambda done, _: reports.append(done))
    assert max(reports) <= len(CONTENT)


def test_the_error_says_where_it_looked_and_what_can_be_done(tmp_path):
    spec = spec_at("http://127.0.0.1:9/tiny.onnx")
    with pytest.raises(WeightsUnavailableError) as caught:
        ensure_weights(spec, tmp_path / "weights", str(tmp_path / "mirror"))
    message = str(caught.value)
    for part in (
        "The weights of tiny",
        str(tmp_path / "weights" / FILE_NAME),
        str(tmp_path / "mirror" / FILE_NAME),
        "http://127.0.0.1:9/tiny.onnx",
        "FRAMEWISE_WEIGHTS_MIRROR",
        "or use a model that needs no weights: opencv-haar-face, opencv-hog-person",
    ):
        assert part in message


def test_a_mirror_url_is_asked_first_and_the_official_one_last(spec, server, tmp_path):
    mirror = server.url("mirror/")
    server.files[f"/mirror/{FILE_NAME}"] = CONTENT
    ensure_weights(spec, tmp_path / "a", mirror)
    assert server.asked == [f"/mirror/{FILE_NAME}"]
    del server.files[f"/mirror/{FILE_NAME}"]
    ensure_weights(spec, tmp_path / "b", mirror)
    assert server.asked[1:] == [f"/mirror/{FILE_NAME}", f"/official/{FILE_NAME}"]
    assert not is_ready(spec, tmp_path / "c", mirror)


@pytest.mark.parametrize("as_url", [False, True])
def test_a_mirror_folder_is_used_in_place(spec, server, tmp_path, as_url):
    folder = tmp_path / "my mirror"
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(CONTENT)
    mirror = folder.as_uri() if as_url else str(folder)
    assert is_ready(spec, tmp_path / "weights", mirror)
    assert ensure_weights(spec, tmp_path / "weights", mirror) == folder / FILE_NAME
    assert not server.asked
    assert not (tmp_path / "weights").exists()


def test_a_mirror_folder_without_the_file_leads_to_the_official_url(spec, server, tmp_path):
    (tmp_path / "mirror").mkdir()
    path = ensure_weights(spec, tmp_path / "weights", str(tmp_path / "mirror"))
    assert path.parent == tmp_path / "weights"


@pytest.mark.parametrize("where", ["weights", "mirror"])
def test_a_file_of_the_right_size_and_wrong_content_is_never_used(spec, server, tmp_path, where):
    (tmp_path / where).mkdir()
    path = tmp_path / where / FILE_NAME
    path.write_bytes(bytes(len(CONTENT)))
    with pytest.raises(WeightsCorruptError, match="is not the file it should be"):
        ensure_weights(spec, tmp_path / "weights", str(tmp_path / "mirror"))
    assert not server.asked
    path.write_bytes(CONTENT)
    os.utime(path, (1, 1))
    assert ensure_weights(spec, tmp_path / "weights", str(tmp_path / "mirror")) == path


def test_a_file_of_another_size_is_replaced(spec, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"half a download")
    assert not is_ready(spec, tmp_path)
    assert ensure_weights(spec, tmp_path).read_bytes() == CONTENT


def test_a_folder_that_cannot_be_written_is_named(spec, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WeightsUnavailableError, match="cannot write to"):
        ensure_weights(spec, tmp_path / "file" / "weights")


def test_what_a_killed_download_left_is_removed_after_an_hour(spec, tmp_path):
    old, new = (tmp_path / f".{FILE_NAME}.{name}.part" for name in ("old", "new"))
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1, 1))
    ensure_weights(spec, tmp_path)
    assert sorted(os.listdir(tmp_path)) == [new.name, FILE_NAME]


def test_two_processes_at_once_both_get_a_whole_file(spec, server, tmp_path):
    server.slow.add(f"/official/{FILE_NAME}")
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        paths = pool.starmap(ensure_weights, [(spec, tmp_path)] * 2)
    assert paths == [tmp_path / FILE_NAME] * 2
    assert paths[0].read_bytes() == CONTENT
    assert os.listdir(tmp_path) == [FILE_NAME]


@pytest.mark.parametrize(
    "spec", models_here(lambda spec: spec.weights is not None), ids=lambda spec: spec.name
)
def test_the_real_files_have_the_size_and_checksum_of_the_catalogue(spec, weights_dir):
    path = ensure_weights(spec, Path("/nonexistent"), str(weights_dir))
    assert path == weights_dir / spec.weights.file_name


@pytest.mark.parametrize("spec", [spec for spec in CATALOG if spec.weights], ids=lambda spec: spec.name)
def test_every_file_has_an_address_unless_nobody_publishes_it(spec, tmp_path):
    weights = spec.weights
    assert len(weights.sha256) == 64
    if weights.url:
        assert weights.url.startswith("https://")
        assert weights.url.endswith(weights.file_name)
        return
    with pytest.raises(WeightsUnavailableError, match=r"nobody publishes this file .* Set FRAMEWISE_WEIGHTS"):
        ensure_weights(spec, tmp_path)


def test_a_file_of_a_wrong_size_in_the_mirror_is_told_of(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / FILE_NAME).write_bytes(b"short")
    with pytest.raises(WeightsUnavailableError, match=r"it has 5 bytes, not \d+"):
        ensure_weights(
            spec_at("http://127.0.0.1:9/tiny.onnx"), tmp_path / "weights", str(tmp_path / "mirror")
        )


OTHER = os.urandom(290_000)


@pytest.fixture
def two_builds(spec, server):
    """A model whose file was exported twice, each published at an address of its own."""
    other = WeightsBuild(
        server.url("other/tiny.onnx"), hashlib.sha256(OTHER).hexdigest(), len(OTHER), "exported anew"
    )
    return dataclasses.replace(spec, weights=dataclasses.replace(spec.weights, others=(other,)))


@pytest.mark.parametrize("content", [CONTENT, OTHER], ids=["first", "other"])
@pytest.mark.parametrize("where", ["weights", "mirror folder", "mirror"])
def test_either_build_is_used_wherever_it_lies(two_builds, server, tmp_path, content, where):
    mirror = str(tmp_path / "mirror folder")
    if where == "mirror":
        mirror = server.url("mirror/")
        server.files[f"/mirror/{FILE_NAME}"] = content
    else:
        (tmp_path / where).mkdir()
        (tmp_path / where / FILE_NAME).write_bytes(content)
        assert is_ready(two_builds, tmp_path / "weights", mirror)
    reports = []
    path = ensure_weights(
        two_builds, tmp_path / "weights", mirror, on_progress=lambda *shown: reports.append(shown)
    )
    assert path.read_bytes() == content
    assert server.asked == ([f"/mirror/{FILE_NAME}"] if where == "mirror" else [])
    assert not reports or reports[-1][0] == len(content)


def test_the_other_build_is_fetched_where_the_first_is_gone(two_builds, server, tmp_path):
    del server.files[f"/official/{FILE_NAME}"]
    server.files[f"/other/{FILE_NAME}"] = OTHER
    assert ensure_weights(two_builds, tmp_path).read_bytes() == OTHER
    assert server.asked == [f"/official/{FILE_NAME}", f"/other/{FILE_NAME}"]


def test_an_address_gives_its_own_build_only(two_builds, server, tmp_path):
    server.files[f"/official/{FILE_NAME}"] = OTHER
    server.files[f"/other/{FILE_NAME}"] = CONTENT
    with pytest.raises(
        WeightsUnavailableError, match=r"290000 bytes long, expected 300000\).*larger than 290000"
    ):
        ensure_weights(two_builds, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_neither_build_is_never_used(two_builds, tmp_path):
    (tmp_path / FILE_NAME).write_bytes(bytes(len(OTHER)))
    with pytest.raises(WeightsCorruptError, match=r"expected [0-9a-f]{64} or [0-9a-f]{64}"):
        ensure_weights(two_builds, tmp_path)


def test_further_builds_leave_the_fingerprint_as_it_was(two_builds, spec):
    assert two_builds.fingerprint() == spec.fingerprint()


@pytest.mark.parametrize(
    "spec",
    [spec for spec in CATALOG if spec.weights and spec.weights.others],
    ids=lambda spec: spec.name,
)
def test_every_one_of_several_builds_says_where_it_comes_from(spec):
    builds = spec.weights.builds
    assert len({build.sha256 for build in builds}) == len(builds)
    for build in builds:
        assert build.source
        assert build.url.startswith("https://")
        assert build.url.endswith(f"/{spec.weights.file_name}")
        assert len(build.sha256) == 64
