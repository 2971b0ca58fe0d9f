"""What one caller may take of gRPC, and what gRPC says of callers.

Of one connection: 1024 calls open, 16 KiB of each message that is not read, 8 messages of up to 4 MiB that are (see
`receiving`), 16 calls with large messages or answers. That is about 80 MiB, and of all callers as often as there are
connections. What it does not bound: bytes a second, connections a second, and for how long somebody keeps his connection
and the small answers that he does not read. Memory comes back once nobody needs it (see `edgeclients.ops.memory`).
"""

import logging
from typing import Final

from edgeclients.rpc.core import Options

_MESSAGE_BYTES: Final = 4 * 1024 * 1024  # contract 5
_METADATA_BYTES: Final = 64 * 1024
_LOOKAHEAD_BYTES: Final = 16 * 1024
_STREAMS: Final = 1024
_PENDING: Final = 8192
_SETTINGS_MILLISECONDS: Final = 10_000
_PING_MILLISECONDS: Final = 500
_IDLE_MILLISECONDS: Final = 300_000


def options(connections: int, *, shared: bool) -> Options:
    """Options of gRPC for a server.

    Args:
        connections: how many there may be at a time; one more is closed at once.
        shared: whether other processes of ours listen on the same port.
    """
    return (
        # A port that is taken is an error, not a second listener.
        ("grpc.so_reuseport", int(shared)),
        ("grpc.max_receive_message_length", _MESSAGE_BYTES),
        ("grpc.max_metadata_size", _METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", _METADATA_BYTES),
        # Past these calls are cancelled at random: that is for resets, and far from what is worked on at a time.
        ("grpc.server.max_pending_requests", _PENDING),
        ("grpc.server.max_pending_requests_hard_limit", 2 * _PENDING),
        ("grpc.max_allowed_incoming_connections", connections),
        # Those who ask nothing must not keep others out for ever; who means to ask again connects by itself.
        ("grpc.max_connection_idle_ms", _IDLE_MILLISECONDS),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.http2.lookahead_bytes", _LOOKAHEAD_BYTES),
        # What this finds out makes the windows of all calls grow, read or not, until each holds a whole message.
        ("grpc.http2.bdp_probe", 0),
        # Until these are acknowledged not all that they bound is bounded.
        ("grpc.http2.settings_timeout", _SETTINGS_MILLISECONDS),
        # Keep-alive asks every 10 seconds whether we are there, also when there are no calls.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _PING_MILLISECONDS),
    )


def quiet() -> None:
    """Keep out of the log what anybody's bytes would write there, as often as they like."""
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_ours)


def _is_ours(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(("Invalid encoding on", "ExecuteBatchError raised in core"))
