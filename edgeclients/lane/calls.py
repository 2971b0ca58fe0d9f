"""Calls of gRPC, as handlers see them: methods, messages, statuses. A server of another kind can serve them as well."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple, TypeAlias

Fields: TypeAlias = list[tuple[bytes, bytes]]


class Status(IntEnum):
    """Status codes of gRPC."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class CallFailed(Exception):  # noqa: N818 - says what is so
    """Ends a call with a status and a text for its caller."""

    def __init__(self, status: Status, message: str, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.status, self.message, self.trailers = status, message, trailers


class Call(ABC):
    """One call. Its handler is cancelled when nobody waits for the answer any more."""

    __slots__ = ()

    @property
    @abstractmethod
    def fields(self) -> Fields:
        """The names and values of its headers."""

    @property
    @abstractmethod
    def peer(self) -> str:
        """The address of the caller, the same for all calls of a connection."""

    @abstractmethod
    async def receive(self) -> bytes | None:
        """The next message of a streaming call; None if the caller has sent all.

        Raises:
            CallFailed: it is damaged, too large, or does not arrive in time.
        """

    @abstractmethod
    async def send(self, message: bytes) -> None:
        """Send a message of a streaming call, when the caller takes it."""


class Unary(NamedTuple):
    """A method with one message each way.

    `at_once` answers without waiting, or returns None; then `later` is run as a task. Both raise `CallFailed`. `lost` is told
    of calls that end before their message has arrived, with the seconds that they took.
    """

    later: Callable[[bytes, Call], Awaitable[bytes]]
    at_once: Callable[[bytes, Call], bytes | None] | None = None
    lost: Callable[[Status, float], None] | None = None


class Streaming(NamedTuple):
    """A method with any number of messages each way.

    `serve` receives and sends them until it returns, or raises `CallFailed`.
    """

    serve: Callable[[Call], Awaitable[None]]


Method: TypeAlias = Unary | Streaming
Methods: TypeAlias = Mapping[str, Method]
"""By path, as `/package.Service/Method`."""
