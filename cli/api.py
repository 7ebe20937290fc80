"""The API process."""

import socket

import uvicorn

from cli.graceful_server import Grace, GracefulServer
from cli.logs import configure_logging
from graphql_api.app import create_app
from settings import Settings

ALONE = Grace(request_seconds=6.0, cleanup_seconds=1.0, flush_seconds=1.0, total_seconds=9.0)
SUPERVISED = Grace(request_seconds=1.5, cleanup_seconds=0.5, flush_seconds=0.5, total_seconds=2.8)
"""Below the three seconds after which the supervisor or the lifeline ends it by force."""


def run_api(settings: Settings, listen_fd: int | None = None) -> None:
    """Serve the API until a signal.

    Args:
        settings: Host, port, limits and the log level.
        listen_fd: A listening socket that this process inherited, used instead of host and port.
    """
    configure_logging(settings.log_level)
    config = uvicorn.Config(
        create_app,
        factory=True,
        host=settings.host,
        port=settings.port,
        lifespan="on",
        log_config=None,
        access_log=settings.log_level.upper() == "DEBUG",
        ws_max_size=settings.max_graphql_body_bytes,
    )
    if listen_fd is None:
        GracefulServer(config, ALONE).run()
    else:
        GracefulServer(config, SUPERVISED).run([socket.socket(fileno=listen_fd)])
