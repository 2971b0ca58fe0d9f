"""Limits of gRPC on the resources of a connection, and a filter on gRPC's log.

Each connection may have 1024 open calls, 16 KiB of each unread message, and 8 messages of up to 4 MiB being read (see
`receiving`). It may have 16 calls with large messages or answers. That is about 80 MiB for each connection. Not limited:
bytes and connections a second, and for how long a caller keeps a connection and small answers that it does not read.
Unused memory returns to the system (see `edgeclients.ops.memory`).
"""

import logging
from typing import Final

from edgeclients.rpc.grpcio.core import Options

_MESSAGE_BYTES: Final = 4 * 1024 * 1024  # schema/README.md#grpc-limits
_METADATA_BYTES: Final = 64 * 1024
_LOOKAHEAD_BYTES: Final = 16 * 1024
_STREAMS: Final = 1024
_PENDING: Final = 8192
_SETTINGS_MILLISECONDS: Final = 10_000
_PING_MILLISECONDS: Final = 500
_IDLE_MILLISECONDS: Final = 300_000


def options(connections: int, *, shared: bool) -> Options:
    """Options of a gRPC server.

    Args:
        connections: maximum number of connections; another one is closed at once.
        shared: whether other worker processes listen on the same port.
    """
    return (
        # Unless shared, a port in use is an error, not a second listener.
        ("grpc.so_reuseport", int(shared)),
        ("grpc.max_receive_message_length", _MESSAGE_BYTES),
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        # Beyond these gRPC cancels calls at random. They stop floods of resets, far above the limit of calls in progress.
        ("grpc.server.max_pending_requests", _PENDING),
        ("grpc.server.max_pending_requests_hard_limit", 2 * _PENDING),
        ("grpc.max_allowed_incoming_connections", connections),
        # Idle connections must not exclude other callers forever. A channel reconnects by itself for its next call.
        ("grpc.max_connection_idle_ms", _IDLE_MILLISECONDS),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.http2.lookahead_bytes", _LOOKAHEAD_BYTES),
        # The probe enlarges the windows of all calls, read or not, until each holds a whole message.
        ("grpc.http2.bdp_probe", 0),
        # Some limits apply only once the caller has acknowledged the settings.
        ("grpc.http2.settings_timeout", _SETTINGS_MILLISECONDS),
        # Callers send keep-alive pings every 10 seconds, even without calls.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_MILLISECONDS),
    )


def filter_grpc_log() -> None:
    """Drop log lines of gRPC that any caller can cause at any rate."""
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_not_by_caller)


def _is_not_by_caller(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("Invalid encoding on", "ExecuteBatchError raised in core"))
