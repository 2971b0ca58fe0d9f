"""How much a connection may ask for. What is beyond a limit gets the error that the limit names (RFC 9113, section 7)."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Limits of a server. Rates are of one connection, for a second."""

    frame_bytes: int = 16_384
    """SETTINGS_MAX_FRAME_SIZE: FRAME_SIZE_ERROR."""
    header_list_bytes: int = 64 * 1024
    """SETTINGS_MAX_HEADER_LIST_SIZE, of the decoded list: ENHANCE_YOUR_CALM."""
    header_block_bytes: int = 64 * 1024
    """Of a HEADERS frame with its CONTINUATION frames: ENHANCE_YOUR_CALM."""
    continuations: int = 8
    """CONTINUATION frames of one header block: ENHANCE_YOUR_CALM."""
    streams: int = 256
    """SETTINGS_MAX_CONCURRENT_STREAMS: REFUSED_STREAM."""
    all_streams: int = 8_192
    """Of all connections of a process: REFUSED_STREAM."""
    message_bytes: int = 4 * 1024 * 1024
    """Of one message, also when it is decompressed: RESOURCE_EXHAUSTED."""
    window_bytes: int = 65_535
    """The receive window of a stream: FLOW_CONTROL_ERROR. It grows for a longer message, if there is memory."""
    connection_window_bytes: int = 1024 * 1024
    """The receive window of a connection: FLOW_CONTROL_ERROR."""
    unsent_bytes: int = 128 * 1024
    """In the transport's buffer: then nothing more is read or sent until the peer reads."""
    connections: int = 512
    """Of a process: another one is closed at once."""

    resets: int = 1_000
    """Streams that the peer resets, or makes us reset: ENHANCE_YOUR_CALM."""
    pings: int = 20
    """PING frames, besides some for each part of a call: ENHANCE_YOUR_CALM."""
    settings: int = 20
    """SETTINGS frames: ENHANCE_YOUR_CALM."""
    tiny_frames: int = 1_000
    """DATA frames that are empty, or carry a few bytes of a message, and do not end a stream: ENHANCE_YOUR_CALM."""
    priorities: int = 200
    """PRIORITY frames, and frames of unknown types: ENHANCE_YOUR_CALM."""
    window_updates: int = 1_000
    """WINDOW_UPDATE frames, likewise: ENHANCE_YOUR_CALM."""

    settings_seconds: float = 10.0
    """Until the peer's preface has arrived, and until it has acknowledged our settings: SETTINGS_TIMEOUT."""
    message_seconds: float = 10.0
    """Until a message that a call needs is complete: DEADLINE_EXCEEDED."""
    stalled_seconds: float = 30.0
    """Until the peer takes more of an answer: CANCEL, or the end of the connection if it does not read at all."""
    idle_seconds: float = 300.0
    """Without calls: NO_ERROR, and the connection ends."""
    silent_seconds: float = 60.0
    """With calls, but nothing received: the peer gets a PING, and the connection ends if it does not answer."""
    closing_seconds: float = 5.0
    """For the peer to read the last frames of a connection."""
