"""What an ASGI scope carries for us, and the types ASGI is made of."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

SESSION = "edgeclients.session"
REQUEST_ID = "edgeclients.request_id"
OPERATION = "edgeclients.operation"  # of a request that is not routed
