"""Writes prepared lines, a transaction for some hundred of them; one that fails is tried again in halves."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, Struct, field

from edgeclients.core.authz import callouts
from edgeclients.core.authz.access import Access
from edgeclients.core.authz.permit import Permit
from edgeclients.core.provisioning.logbook import Logbook
from edgeclients.core.provisioning.planning import OF_LINES, Key, draft, refused
from edgeclients.core.provisioning.record import BadLine, bad_line
from edgeclients.core.provisioning.spool import Spool
from edgeclients.core.provisioning.writing import CREATED, FAILED, UNCHANGED, Done, Plan, Prepared, TooManySecretsError, Writing
from edgeclients.core.secrets.issue import Secrets
from edgeclients.errors import AlreadyImported, Busy, CalloutRefused, DomainForbidden, Forbidden, NotFound, SecretTaken, text_of
from edgeclients.model import ImportProgress, Session
from edgeclients.operations import Operation
from edgeclients.ports import Store, Transaction

_OPERATIONS: Final = (
    *(Operation.UPDATE, Operation.UPDATE_TAGS, Operation.UPDATE_SECRET, Operation.ENABLE, Operation.DISABLE),
    *(Operation.SET_PARENT_GROUP, Operation.REMOVE_PARENT_GROUP, Operation.CONNECT, Operation.DISCONNECT),
)


class _UndoneError(Exception):
    """Ends a transaction without a change, with what became of its lines."""

    def __init__(self, outcomes: list[Done | BadLine]) -> None:
        super().__init__()
        self.outcomes = outcomes

    def forget(self) -> None:
        """Let go of the lines, which the frames of the transaction refer to, and these to each other."""
        self.__traceback__ = None


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
        self._access = access
        self._secrets = secrets
        self._session = session
        self._key = key
        self._most_secrets = most_secrets
        self._logbook = logbook
        self._source = ""
        self._line = 0
        self._everything: Mapping[Operation, Permit] | None = None
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
        self._everything = None

    async def write(self, lines: Sequence[Prepared], *, undo: bool) -> list[Done | BadLine]:
        """Write these lines, and tell what became of each; `undo`: leave everything as it was."""
        lines, outcomes = await self._permitted(lines)
        return [*outcomes, *await self._write(lines, undo=undo)]

    async def write_all(self, spool: Spool) -> Outcomes:
        """Write all lines of a spool in one transaction, and tell what became of them.

        Raises:
            NotAsJudged: one of them cannot be written any more; nothing is written.
        """
        everything = await self._may()

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
        everything = await self._may()
        line = max(self._line, *(one.record.line for one in lines))

        async def unit(tx: Transaction) -> tuple[list[Done | BadLine], int]:
            writing = Writing(tx, self._session, self._key, everything, self._most_secrets)
            outcomes = await writing.write(lines)
            if undo or all(isinstance(one, BadLine) or one.outcome == UNCHANGED for one in outcomes):
                raise _UndoneError(outcomes)
            if self._source:
                await tx.note_import(self._session.domain_id, self._source, ImportProgress(line))
            number = await self._logbook.note(tx, writing.changes, _counts(outcomes))
            return outcomes, number

        while True:
            try:
                outcomes, number = await self._store.run(unit)
                self._logbook.committed(number, _counts(outcomes))
                break
            except _UndoneError as undone:
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

    async def _may(self) -> Mapping[Operation, Permit]:
        """What the caller may do to clients, as far as no single client matters."""
        if self._everything is None:
            found = {}
            for operation in _OPERATIONS:
                try:
                    found[operation] = await self._access.permit(self._session, operation)
                except (DomainForbidden, Forbidden):
                    continue
            self._everything = found
        return self._everything

    async def _permitted(self, lines: Sequence[Prepared]) -> tuple[list[Prepared], list[Done | BadLine]]:
        """The lines that may be written as far as is known by now, if single clients matter for that."""
        if not lines or not await self._is_about_single(lines):
            return list(lines), []
        allowed: list[Prepared] = []
        refusals: list[Done | BadLine] = []
        plans = await self._plans(lines)
        new = [one for one in lines if one.record.line not in plans]
        if new:
            await self._consult(new)
        for one in lines:
            try:
                if (plan := plans.get(one.record.line)) is None:
                    one.permits = {}
                else:
                    one.leaves = plan.client.parent_group_id or ""
                    one.permits = await self._permits(plan)
                allowed.append(one)
            except (Forbidden, DomainForbidden, CalloutRefused) as error:
                refusals.append(refused(one.record, error))
            except NotFound:
                refusals.append(bad_line(one.record.line, "", "", "was changed by somebody else meanwhile: import it again"))
        return allowed, refusals

    async def _is_about_single(self, lines: Sequence[Prepared]) -> bool:
        """Whether somebody has to be asked about single clients: a callout, or who grants by their parent groups."""
        if self._access.asks(Operation.CREATE_CLIENTS, *_OPERATIONS):
            return True
        everything = await self._may()
        if len(everything) < len(_OPERATIONS):
            return True  # a personal access token may be for some clients
        by_group = any(permit.standing.by_group for permit in everything.values())
        move = any(one.record.parent_group_id is not UNSET for one in lines)
        return by_group and (move or not all(permit.granted for permit in everything.values()))

    async def _permits(self, plan: Plan) -> dict[Operation, Permit]:
        """What the caller may do to the client of a line, as through the route of each operation."""
        client, operations = plan
        permits = {operation: await self._access.permit(self._session, operation, client.id) for operation in operations}
        if Operation.REMOVE_PARENT_GROUP in operations:
            await self._access.group(self._session, Operation.REMOVE_CHILD_CLIENT, client.parent_group_id or "")
            if (placed := permits.get(Operation.SET_PARENT_GROUP)) is not None:  # it is in no group by then
                permits[Operation.SET_PARENT_GROUP] = msgspec.structs.replace(placed, groups={})
        return permits

    async def _consult(self, new: Sequence[Prepared]) -> None:
        """Ask the callout about clients to be created, as it is asked about those of a bulk."""
        ids, drafts = [one.client.id for one in new], [draft(one.record) for one in new]
        await self._access.consult(
            self._session,
            Operation.CREATE_CLIENTS,
            ("domain", self._session.domain_id),
            lambda: {"entities": callouts.entities(self._session, ids, drafts), "count": len(new)},
        )

    async def _plans(self, lines: Sequence[Prepared]) -> dict[int, Plan]:
        """By line, the client that exists and what would be done to it."""
        plans: dict[int, Plan] = {}

        async def unit(tx: Transaction) -> None:
            writing = Writing(tx, self._session, self._key, {}, self._most_secrets)
            plans.update(await writing.plans(lines))
            raise _UndoneError([])

        try:
            await self._store.run(unit)
        except _UndoneError as undone:
            undone.forget()
        return plans


def _counts(outcomes: Sequence[Done | BadLine]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        name = outcome.outcome if isinstance(outcome, Done) else FAILED
        counts[name] = counts.get(name, 0) + 1
    return counts
