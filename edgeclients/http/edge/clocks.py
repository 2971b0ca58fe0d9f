"""uvicorn's HTTP/1.1 connection with clocks: one for what is read, one for what is written."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class ConnectionLimits(NamedTuple):
    """Seconds and bytes (contract 11.2)."""

    read_header: float = 5
    read: float = 15
    write: float = 15
    header_bytes: int = 1024 * 1024
    connections: int = 1024
    # Thrown away behind an early answer: several times the largest body, as whoever sends too much sends much too much.
    drained_bytes: int = 64 * 1024 * 1024


class TimedProtocol(HttpToolsProtocol, ABC):
    """One connection; what is to be done when a caller is too slow is for a subclass to say."""

    limits = ConnectionLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        self._disarm()
        self._disarm_write()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller does not take its answer as fast as it comes."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write, self.transport.abort)

    def resume_writing(self) -> None:
        """The caller has taken a part of it."""
        super().resume_writing()
        self._disarm_write()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing was asked for a while: close, and wait for a caller who does not read no longer than for any other.

        What such a caller has not taken may be too little for `pause_writing`.
        """
        super().timeout_keep_alive_handler()
        self.loop.call_later(self.limits.write, self.transport.abort)

    @abstractmethod
    def _too_slow(self) -> None:
        """What came has taken too long."""

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._read_timer = self.loop.call_later(seconds, self._too_slow)

    def _disarm(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _disarm_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _half_close(self) -> None:
        if self.transport.can_write_eof():  # not on TLS: there the caller goes by the answer's length
            self.transport.write_eof()

    def _hang_up(self) -> None:
        """Close; a caller who does not read is waited for no longer than any other."""
        self._disarm()
        self.transport.close()
        self.loop.call_later(self.limits.write, self.transport.abort)
