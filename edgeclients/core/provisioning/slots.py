"""Places for what runs for long: so many at a time, and nobody can take those of others."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from edgeclients.errors import Busy
from edgeclients.model import Session

_AT_A_TIME = 2  # each takes its turns with the writer, or holds a snapshot; more would only take longer
_COMMANDS = 2  # of this machine: beside those, so that callers from outside cannot keep it from its own data
_PATIENCE_SECONDS = 600.0  # of a command; a file of 100,000 lines takes a tenth of it


class Slots:
    """Places of one kind: one for a caller, few for all of them, and some that only commands on this machine get.

    Args:
        what: runs there, for the log.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._callers: set[str] = set()
        self._commands = asyncio.Semaphore(_COMMANDS)

    @contextlib.asynccontextmanager
    async def taken(self, session: Session) -> AsyncIterator[None]:
        """Take a place until the context is left. A command waits for one.

        Raises:
            Busy: the caller has one already, or others have all of them.
        """
        if session.local:
            async with self._of_commands():
                yield
            return
        if session.user_id in self._callers or len(self._callers) == _AT_A_TIME:
            raise Busy(self._what, retry_after=1)
        self._callers.add(session.user_id)
        try:
            yield
        finally:
            self._callers.remove(session.user_id)

    @contextlib.asynccontextmanager
    async def _of_commands(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._commands.acquire()
        except TimeoutError:
            raise Busy(self._what, retry_after=1) from None
        try:
            yield
        finally:
            self._commands.release()
