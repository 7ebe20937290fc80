"""GraphQL over WebSocket: graphql-transport-ws, with results shared by all who subscribed alike."""

from graphql_api.websocket.connection import Connection
from graphql_api.websocket.services import SocketServices
from graphql_api.websocket.session_watch import SessionWatch

__all__ = ["Connection", "SessionWatch", "SocketServices"]
