"""Writes prepared lines, a transaction for some hundred of them; one that fails is tried again in halves."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from edgeclients.core.authz.access import Access
from edgeclients.core.provisioning.logbook import Logbook
from edgeclients.core.provisioning.permits import Permits
from edgeclients.core.provisioning.planning import OF_LINES, Key, refused
from edgeclients.core.provisioning.record import BadLine
from edgeclients.core.provisioning.spool import Spool
from edgeclients.core.provisioning.summary import CREATED, UNCHANGED
from edgeclients.core.provisioning.undone import UndoneError
from edgeclients.core.provisioning.writing import Done, Prepared, TooManySecretsError, Writing, outcome_of
from edgeclients.core.secrets.issue import Secrets
from edgeclients.errors import AlreadyImported, Busy, SecretTaken, text_of
from edgeclients.model import ImportProgress, Session
from edgeclients.ports import Store, Transaction


class NotAsJudgedError(Exception):
    """A line, or one of some hundred from there on, cannot be written any more: others have changed clients meanwhile."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


class Outcomes(Struct):
    """How many lines had which outcome, and the lines for which secrets were made."""

    counts: dict[str, int] = field(default_factory=dict)
    made: set[int] = field(default_factory=set)

    def add(self, outcome: Done) -> None:
        """Count a line."""
        self.counts[outcome.outcome] = self.counts.get(outcome.outcome, 0) + 1
        if outcome.holds_made:
            self.made.add(outcome.line)


class Batches:
    """Writes the lines of one file.

    Args:
        store: the clients.
        access: checks permissions.
        secrets: counts answers that a secret is in use.
        session: the caller.
        key: what says which client a line is about; None: each line creates one.
        most_secrets: how many may be made.
        logbook: what the journal has of it.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        secrets: Secrets,
        session: Session,
        key: Key | None,
        most_secrets: int,
        logbook: Logbook,
    ) -> None:
        self._store = store
        self._permits = Permits(store, access, session, key)
        self._secrets = secrets
        self._session = session
        self._key = key
        self._most_secrets = most_secrets
        self._logbook = logbook
        self._source = ""
        self._line = 0
        self.stopped_at: int | None = None
        """The line that would have made one secret too many; nothing is written from there on."""

    async def begin(self, source: str) -> int:
        """The line through which this file was imported before, by a run that did not end.

        Raises:
            AlreadyImported: it did end.
        """
        self._source = source

        async def unit(tx: Transaction) -> ImportProgress:
            return await tx.import_progress(self._session.domain_id, source)

        progress = await self._store.run(unit)
        if progress.finished:
            raise AlreadyImported
        self._line = progress.line
        return progress.line

    async def finish(self, counts: Mapping[str, int], *, is_complete: bool) -> None:
        """Record how many lines had which outcome, and whether the file is imported to its end."""

        async def unit(tx: Transaction) -> None:
            await self._logbook.finish(tx, counts)
            if self._source and is_complete:
                await self._note(tx, finished=True)

        if self._logbook.is_begun or (self._source and is_complete):
            await self._store.run(unit)

    def forget_permits(self) -> None:
        """Ask again what the caller may do, before the next lines are written."""
        self._permits.forget()

    async def pause(self, line: int) -> None:
        """Record that a further run goes on with this line."""
        if self._source:
            self._line = line - 1
            await self._store.run(lambda tx: self._note(tx, finished=False))

    async def write(self, lines: Sequence[Prepared], *, undo: bool) -> list[Done | BadLine]:
        """Write these lines, and tell what became of each; `undo`: leave everything as it was."""
        lines, outcomes = await self._permits.admit(lines)
        return [*outcomes, *await self._write(lines, undo=undo)]

    async def write_all(self, spool: Spool) -> Outcomes:
        """Write all lines of a spool in one transaction, and tell what became of them.

        Raises:
            NotAsJudged: one of them cannot be written any more; nothing is written.
        """
        everything = await self._permits.everything()
        await self._admit_again(spool)

        async def unit(tx: Transaction) -> Outcomes:
            all_of_them, is_changed = Outcomes(), False
            for lines in spool:
                writing = Writing(tx, self._session, self._key, everything, self._most_secrets)
                try:
                    outcomes = await writing.write(lines)
                except OF_LINES as error:
                    raise NotAsJudgedError(lines[0].record.line, text_of(error)) from error
                for outcome in outcomes:
                    if isinstance(outcome, BadLine):
                        raise NotAsJudgedError(outcome.line, outcome.reason)
                    all_of_them.add(outcome)
                if writing.changes:
                    await tx.record(writing.changes)
                    is_changed = True
                self._line = max(self._line, *(one.record.line for one in lines))
            if self._source:
                await self._note(tx, finished=True)
            if is_changed:
                await self._logbook.note(tx, (), all_of_them.counts)
            return all_of_them

        return await self._store.run(unit)

    async def _admit_again(self, spool: Spool) -> None:
        """Look again at what the caller may do to single clients: the file may have taken long. No callout is asked twice."""
        if self._permits.asks_callouts:
            return
        for lines in spool:
            _, refusals = await self._permits.admit(lines)
            for one in refusals:
                if isinstance(one, BadLine):
                    raise NotAsJudgedError(one.line, one.reason)
            spool.keep_permits(lines)

    async def _write(self, lines: Sequence[Prepared], *, undo: bool) -> list[Done | BadLine]:
        if not lines or self.stopped_at is not None:
            return []
        try:
            return await self._run(lines, undo=undo)
        except TooManySecretsError as stop:
            before = next(number for number, one in enumerate(lines) if one.record.line == stop.line)
            outcomes = await self._write(lines[:before], undo=undo)
            self.stopped_at = stop.line
            return outcomes
        except OF_LINES as error:
            if len(lines) > 1:
                half = len(lines) // 2
                return [*await self._write(lines[:half], undo=undo), *await self._write(lines[half:], undo=undo)]
            if isinstance(error, SecretTaken) and not self._session.super_admin:
                self._secrets.note_taken(self._session)
            return [refused(lines[0].record, error)]

    async def _run(self, lines: Sequence[Prepared], *, undo: bool) -> list[Done | BadLine]:
        everything = await self._permits.everything()
        line = max(self._line, *(one.record.line for one in lines))

        async def unit(tx: Transaction) -> tuple[list[Done | BadLine], int]:
            writing = Writing(tx, self._session, self._key, everything, self._most_secrets)
            outcomes = await writing.write(lines)
            if undo or all(isinstance(one, BadLine) or one.outcome == UNCHANGED for one in outcomes):
                raise UndoneError(outcomes)
            if self._source:
                await tx.note_import(self._session.domain_id, self._source, ImportProgress(line))
            number = await self._logbook.note(tx, writing.changes, Counter(map(outcome_of, outcomes)))
            return outcomes, number

        while True:
            try:
                outcomes, number = await self._store.run(unit)
                self._logbook.committed(number, Counter(map(outcome_of, outcomes)))
                break
            except UndoneError as undone:
                outcomes = undone.outcomes
                undone.forget()
                break
            except Busy as busy:  # many changes of others wait
                await asyncio.sleep(busy.retry_after or 1)
        self._line = line
        self._most_secrets -= sum(isinstance(one, Done) and one.outcome == CREATED and one.holds_made for one in outcomes)
        return outcomes

    async def _note(self, tx: Transaction, *, finished: bool) -> None:
        await tx.note_import(self._session.domain_id, self._source, ImportProgress(self._line, finished))
