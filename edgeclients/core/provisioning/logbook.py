"""What the journal has of an import: one entry about all of it, and a short one for each client that it changes."""

from collections.abc import Callable, Mapping, Sequence

from edgeclients.core import journal
from edgeclients.core.provisioning.summary import CREATED, FAILED, UNCHANGED, UPDATED
from edgeclients.model import JournalEntry, Session
from edgeclients.ports import Transaction

_OUTCOMES = (CREATED, UPDATED, UNCHANGED, FAILED)


class Logbook:
    """Writes the entries, in the transactions of their changes.

    Args:
        session: who imports.
        source: the SHA-256 of the file, as far as that is known; "" if it is not.
    """

    def __init__(self, session: Session, source: Callable[[], str]) -> None:
        self._session = session
        self._source = source
        self._number: int | None = None
        self._counts: dict[str, int] = {}

    async def note(self, tx: Transaction, changes: Sequence[JournalEntry], counts: Mapping[str, int]) -> int:
        """Record `changes`, and `counts` more lines in the entry about the import; call `committed` with the result."""
        whole = self._whole(self._with(counts))
        if self._number is not None and await tx.amend(self._number, whole):
            if changes:
                await tx.record(changes)
            return self._number
        return await tx.record([whole, *changes])

    def committed(self, number: int, counts: Mapping[str, int]) -> None:
        """Remember what `note` has recorded."""
        self._number, self._counts = number, self._with(counts)

    async def finish(self, tx: Transaction, counts: Mapping[str, int]) -> None:
        """Record how many lines had which outcome in the end, unless nothing was changed."""
        if self._number is not None:
            await tx.amend(self._number, self._whole(counts))

    @property
    def is_begun(self) -> bool:
        """Whether something was changed."""
        return self._number is not None

    def _with(self, counts: Mapping[str, int]) -> dict[str, int]:
        return {name: self._counts.get(name, 0) + counts.get(name, 0) for name in _OUTCOMES}

    def _whole(self, counts: Mapping[str, int]) -> JournalEntry:
        told = {name: counts.get(name, 0) for name in _OUTCOMES}
        return journal.summary(self._session, journal.IMPORT, **told, source=self._source())
