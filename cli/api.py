"""The API process."""

import socket

import uvicorn

from cli.logs import configure_logging
from graphql_api.app import create_app
from settings import Settings

GRACEFUL_SECONDS = 3


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
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    sockets = None if listen_fd is None else [socket.socket(fileno=listen_fd)]
    uvicorn.Server(config).run(sockets)
