"""How much a connection may ask for. What each limit answers is the error code of the RFC that it names."""

from typing import NamedTuple


class Limits(NamedTuple):
    """Limits of one connection; rates are for a second."""

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
    message_bytes: int = 4 * 1024 * 1024
    """Of one message, also when it is decompressed: RESOURCE_EXHAUSTED."""
    window_bytes: int = 65_535
    """The receive window of a stream. Longer messages draw on the budget of the process."""
    connection_window_bytes: int = 1024 * 1024
    """The receive window of the connection."""
    unsent_bytes: int = 256 * 1024
    """Answers that wait for the peer's windows: then further calls wait, too."""
    resets: int = 100
    """Streams that the peer resets, or makes us reset: ENHANCE_YOUR_CALM."""
    pings: int = 20
    """PING frames: ENHANCE_YOUR_CALM."""
    settings: int = 20
    """SETTINGS frames: ENHANCE_YOUR_CALM."""
    empty_frames: int = 100
    """DATA frames without data that do not end a stream, and with less than a message's head: ENHANCE_YOUR_CALM."""
    priorities: int = 200
    """PRIORITY frames, and frames of unknown types: ENHANCE_YOUR_CALM."""
    window_updates: int = 5_000
    """WINDOW_UPDATE frames: ENHANCE_YOUR_CALM."""
