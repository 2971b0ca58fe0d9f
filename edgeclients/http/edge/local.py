"""Callers on the data directory's socket: commands of this program, which the file's permissions have admitted."""

from typing import Any

from edgeclients.http.scope import LOCAL, App
from edgeclients.model import Identity


class LocalCallers:
    """Admits every caller, as the operator `operator_id`, or where there is none under the name that it gives."""

    def __init__(self, operator_id: str) -> None:
        self._operator_id = operator_id

    async def identify(self, token: str, _: Any) -> Identity:
        """The identity of a caller that presents its name."""
        return Identity(self._operator_id or token[:36], super_admin=True)


def marked_local(app: App) -> App:
    """An ASGI application whose requests are marked as those of commands."""

    async def local(scope: Any, receive: Any, send: Any) -> None:
        scope[LOCAL] = True
        await app(scope, receive, send)

    return local
