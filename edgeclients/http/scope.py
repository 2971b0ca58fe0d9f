"""Keys that the gate adds to an ASGI scope, and types of ASGI."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

SESSION = "edgeclients.session"
REQUEST_ID = "edgeclients.request_id"
CALLER = "edgeclients.caller"  # identifies the caller once more: a function of the scope and the domain
LOCAL = "edgeclients.local"  # set where our own program asks, on the data directory's socket
OPERATION = "edgeclients.operation"  # of a request that was answered without routing

_PROTECTED = {"clients", "channels", "journal"}


class RoutedApp(Protocol):
    """An ASGI application that can name the operation of a path."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection."""

    def operation_at(self, method: str, segments: Sequence[str]) -> str:
        """The operation of the path with these segments; empty if there is none."""


def is_protected(segments: Sequence[str]) -> bool:
    """Whether the path with these segments needs a token; its first segment is then a domain."""
    return len(segments) > 1 and segments[1] in _PROTECTED


def operation_of(scope: Scope) -> str:
    """The operation of a request; empty if it was rejected before routing."""
    return scope.get(OPERATION) or getattr(scope.get("route_handler"), "operation_id", None) or ""
