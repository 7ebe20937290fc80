"""The API process."""

import socket
import sys

import uvicorn
from starlette.applications import Starlette

from cli.api_server.connection_crowd import ConnectionCrowd, most_connections
from cli.api_server.garbage import GarbageKeeper, collect_rarely
from cli.api_server.graceful_server import Grace, GracefulServer
from cli.api_server.http_protocol import bounded_http_protocol
from cli.api_server.websocket_protocol import (
    PING_INTERVAL_SECONDS,
    PING_TIMEOUT_SECONDS,
    bounded_websocket_protocol,
)
from cli.logs import configure_logging
from graphql_api.app import create_app
from settings import Settings

ALONE = Grace(request_seconds=6.0, cleanup_seconds=1.0, flush_seconds=1.0, total_seconds=9.0)
SUPERVISED = Grace(request_seconds=1.5, cleanup_seconds=0.5, flush_seconds=0.5, total_seconds=2.8)
"""Below the three seconds after which the supervisor or the lifeline ends it by force."""

SWITCH_SECONDS = 0.0005
"""After so long a thread that computes hands Python's lock to another that waits for it. The event loop asks
for it again after each callback, and for each row that SQLite gives: with Python's own 5 ms, a query of 2 ms
took up to half a second beside one thread that checks documents."""


def run_api(settings: Settings, listen_fd: int | None = None) -> None:
    """Serve the API until a signal.

    Args:
        settings: Host, port, limits and the log level.
        listen_fd: A listening socket that this process inherited, used instead of host and port.
    """
    configure_logging(settings.log_level)
    crowd = ConnectionCrowd(most_connections())
    config = uvicorn.Config(
        _create_app,
        factory=True,
        host=settings.host,
        port=settings.port,
        lifespan="on",
        log_config=None,
        access_log=settings.log_level.upper() == "DEBUG",
        http=bounded_http_protocol(crowd),
        ws=bounded_websocket_protocol(crowd),
        ws_max_size=settings.max_graphql_body_bytes,
        ws_ping_interval=PING_INTERVAL_SECONDS,
        ws_ping_timeout=PING_TIMEOUT_SECONDS,
        # Compressing frames of some hundred bytes takes longer than sending them, and memory for each socket.
        ws_per_message_deflate=False,
        # uvicorn alone would believe what anybody on this machine says.
        proxy_headers=bool(settings.trusted_proxies.strip()),
        forwarded_allow_ips=settings.trusted_proxies,
    )
    if listen_fd is None:
        GracefulServer(config, ALONE, GarbageKeeper()).run()
    else:
        GracefulServer(config, SUPERVISED, GarbageKeeper()).run([socket.socket(fileno=listen_fd)])


def _create_app() -> Starlette:
    app = create_app()
    collect_rarely()
    sys.setswitchinterval(SWITCH_SECONDS)
    return app
