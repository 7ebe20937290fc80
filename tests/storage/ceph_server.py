"""A real S3 server on loopback: Ceph's gateway, one monitor and one storage daemon in memory."""

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

PROGRAMS = (
    "ceph",
    "ceph-mon",
    "ceph-osd",
    "ceph-authtool",
    "monmaptool",
    "radosgw",
    "radosgw-admin",
    "setpriv",
)
DEBIAN_PACKAGES = "radosgw ceph-mon ceph-osd"

ACCESS_KEY_ID = "framewise-tests"
SECRET_ACCESS_KEY = "a secret of no server that lasts/+="

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor_port}
public network = 127.0.0.0/8
ms bind msgr1 = false
ms bind ipv6 = false
keyring = {folder}/keyring
run dir = {folder}
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail warn = 1
mon data avail crit = 1
mon max pg per osd = 1000
paxos propose interval = 0.02
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 4294967296
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw dns name = localhost
rgw thread pool size = 32
rgw num rados handles = 1
rgw run sync thread = false
rgw enable usage log = false
rgw enable ops log = false
rgw bucket quota ttl = 0
rgw user quota bucket sync interval = 1
"""


@dataclass
class CephServer:
    """The server: where it listens, and the processes it consists of."""

    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str) -> str:
        """Run one of Ceph's own tools against the server."""
        program, *arguments = command
        configured = [program, "-c", str(self.folder / "ceph.conf"), *arguments]
        done = subprocess.run(configured, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(configured)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    def limit_bucket(self, bucket: str, size_bytes: int) -> None:
        """Let `bucket` hold no more than `size_bytes`."""
        scope = ["--quota-scope=bucket", f"--bucket={bucket}"]
        self.run("radosgw-admin", "-n", "client.rgw", "quota", "set", *scope, f"--max-size={size_bytes}")
        self.run("radosgw-admin", "-n", "client.rgw", "quota", "enable", *scope)

    def spawn(self, *command: str) -> None:
        # setpriv: the daemon ends with this process even when that is killed.
        program, *arguments = command
        log = (self.folder / f"{program}.out").open("wb")
        with log:
            self.processes.append(
                subprocess.Popen(
                    [
                        "setpriv",
                        "--pdeathsig",
                        "KILL",
                        program,
                        "-c",
                        str(self.folder / "ceph.conf"),
                        *arguments,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def start_ceph(folder: Path) -> CephServer:
    """Start the server with its files in `folder`; RuntimeError, with its log, if it does not come up."""
    monitor_port, port = _free_ports(2)
    server = CephServer(folder, port)
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    fsid = str(uuid4())
    configuration = CONFIGURATION.format(fsid=fsid, folder=folder, monitor_port=monitor_port, port=port)
    (folder / "ceph.conf").write_text(configuration)
    try:
        _start_daemons(server, fsid, monitor_port)
    except BaseException:
        server.stop()
        raise
    return server


def _start_daemons(server: CephServer, fsid: str, monitor_port: int) -> None:
    folder = server.folder
    keyring, monitors = str(folder / "keyring"), str(folder / "monmap")
    address = f"[v2:127.0.0.1:{monitor_port}]"
    _run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monitors)
    for number, (name, capabilities) in enumerate(
        {
            "mon.": ["mon", "allow *"],
            "client.admin": ["mon", "allow *", "osd", "allow *"],
            "client.rgw": ["mon", "allow *", "osd", "allow *"],
            "osd.0": ["mon", "allow profile osd", "osd", "allow *"],
        }.items()
    ):
        pairs = [
            word
            for who, may in zip(capabilities[::2], capabilities[1::2], strict=True)
            for word in ("--cap", who, may)
        ]
        _run("ceph-authtool", *(["-C"] if number == 0 else []), keyring, "--gen-key", "-n", name, *pairs)
    server.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monitors, "--keyring", keyring)
    server.spawn("ceph-mon", "-i", "a", "-f")
    osd = str(uuid4())
    server.run("ceph", "osd", "new", osd)
    server.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
    server.spawn("ceph-osd", "-i", "0", "-f")
    user = [
        "--uid=tests",
        "--display-name=tests",
        f"--access-key={ACCESS_KEY_ID}",
        f"--secret-key={SECRET_ACCESS_KEY}",
    ]
    server.run("radosgw-admin", "-n", "client.rgw", "user", "create", *user)
    server.spawn("radosgw", "-n", "client.rgw", "-f")
    _wait_until_it_answers(server)


def _wait_until_it_answers(server: CephServer) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in server.processes):
            break
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(server.endpoint_url, timeout=5):
            return
        time.sleep(0.02)
    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(server.folder.glob("*.out")))
    raise RuntimeError(f"The S3 server did not come up:\n{logs}")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60, env={**os.environ, "LC_ALL": "C"})


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
