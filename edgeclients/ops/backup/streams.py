"""Streams of bytes that are made piece by piece."""

from collections.abc import Iterable
from typing import Protocol


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """At most `size` bytes; none at the end."""


class Stream:
    """Pieces as a stream. `error` is what making them has raised: those who read it may turn it into something else."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = b""
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; none at the end."""
        try:
            while not self._held:
                self._held = next(self._pieces)
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        some, self._held = (self._held, b"") if size < 0 else (self._held[:size], self._held[size:])
        return some
