"""uvicorn's HTTP/1.1 connection with two timers: one for reading, one for writing."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class ConnectionLimits(NamedTuple):
    """Timeouts in seconds and sizes in bytes (schema/README.md#http-limits)."""

    read_header: float = 5
    read: float = 15
    write: float = 15
    header_bytes: int = 1024 * 1024
    connections: int = 1024
    # Discarded after an early response: several times the largest body, because bodies over the limit are often far over it.
    drained_bytes: int = 64 * 1024 * 1024


class TimedProtocol(HttpToolsProtocol, ABC):
    """One connection. A subclass defines how a read timeout is handled."""

    limits = ConnectionLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop both timers."""
        self._stop_read_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the write timer: the caller reads its response too slowly."""
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Stop the write timer: the caller has read a part of its response."""
        super().resume_writing()
        self._stop_write_timer()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection. Abort it after the write timeout if the caller does not read.

        The unread rest may be too small for `pause_writing` to be called.
        """
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.limits.write, self.transport.abort)

    @abstractmethod
    def _on_read_timeout(self) -> None:
        """Handle a request that did not arrive in time."""

    def _start_read_timer(self, seconds: float) -> None:
        self._stop_read_timer()
        self._read_timer = self.loop.call_later(seconds, self._on_read_timeout)

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _start_write_timer(self) -> None:
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write, self.transport.abort)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _half_close(self) -> None:
        if self.transport.can_write_eof():  # not with TLS: there the response's length marks its end
            self.transport.write_eof()

    def _close_or_abort(self) -> None:
        """Close the connection. Abort it after the write timeout if the caller does not read."""
        self._stop_read_timer()
        self.transport.close()
        self.loop.call_later(self.limits.write, self.transport.abort)
