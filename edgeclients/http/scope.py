"""What an ASGI scope carries for us, and the types ASGI is made of."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

SESSION = "edgeclients.session"
REQUEST_ID = "edgeclients.request_id"
OPERATION = "edgeclients.operation"  # of a request that is not routed

_PROTECTED = {"clients", "channels"}


class RoutedApp(Protocol):
    """An application that knows which operations its routes are."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection."""

    def operation_at(self, method: str, segments: Sequence[str]) -> str:
        """The operation of a path, of which these are the segments; empty if there is none."""


def is_protected(segments: Sequence[str]) -> bool:
    """Whether what is behind a path of these segments needs a token; the first one is a domain then."""
    return len(segments) > 1 and segments[1] in _PROTECTED


def operation_of(scope: Scope) -> str:
    """The operation that a request turned out to be; empty if it was turned away before that was known."""
    return scope.get(OPERATION) or getattr(scope.get("route_handler"), "operation_id", None) or ""
