"""Imports lines: judges them, and writes them some hundred at a time, so that others are served meanwhile."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import BinaryIO, TypeAlias

from msgspec import Struct

from edgeclients.core import limits
from edgeclients.core.authz.access import Access
from edgeclients.core.parents import Parents
from edgeclients.core.provisioning.batches import Batches, NotAsJudgedError
from edgeclients.core.provisioning.holding import Holding
from edgeclients.core.provisioning.judging import Judging
from edgeclients.core.provisioning.logbook import Logbook
from edgeclients.core.provisioning.planning import Key
from edgeclients.core.provisioning.record import BadLine, Record, bad_line
from edgeclients.core.provisioning.spool import Spool
from edgeclients.core.provisioning.summary import Summary
from edgeclients.core.provisioning.writing import Done, Prepared, outcome_of
from edgeclients.core.secrets.issue import Secrets
from edgeclients.errors import Forbidden
from edgeclients.model import Client, Session
from edgeclients.ports import Store

_ALONE, _BESIDE_OTHERS = 500, 100  # lines of a transaction; a hundred keep the writer for 5 ms, but cost a quarter more
_MOST_SIZE = 1024 * 1024  # characters of them: values may take twenty times as much in memory


class Options(Struct, frozen=True, kw_only=True):
    """How a file is imported.

    `key`: what says which client a line is about; None: each line creates one, and the file, whose SHA-256 is `source`, is
    refused if it did so before. `most_secrets`: how many may be made. `dry_run` changes nothing, and `atomic` nothing unless
    every line is good. `digest`: the SHA-256 for the journal, of what has arrived.
    """

    key: Key | None = Key.EXTERNAL_ID
    dry_run: bool = False
    atomic: bool = False
    source: str = ""
    most_secrets: int = 20_000
    digest: Callable[[], str] = str


class Made(Struct, frozen=True):
    """A client that has the secret that was made for its line; it is shown only now."""

    line: int
    client: Client
    secret: str


Caller: TypeAlias = Callable[[], Awaitable[Session]]
"""Who calls, looked at again: raises if the token is no longer valid."""

Told: TypeAlias = BadLine | Made | Summary
"""What an import tells: of bad lines, of secrets made, and last in sum."""


class Imports:
    """Imports files.

    Args:
        store: the clients.
        access: checks permissions.
        secrets: makes the stored form of secrets.
        parents: checks parent groups.
        spool: makes a file that is gone when it is closed.
        answered: how many calls the service has answered; while the number grows, an import takes little at a time.
    """

    def __init__(
        self,
        store: Store,
        access: Access,
        secrets: Secrets,
        parents: Parents,
        spool: Callable[[], BinaryIO],
        answered: Callable[[], int],
    ) -> None:
        self._store = store
        self._access = access
        self._secrets = secrets
        self._parents = parents
        self._spool = spool
        self._answered = answered

    async def admit(self, session: Session) -> None:
        """Return if the caller may import files into its domain.

        Raises:
            Forbidden: it may not create clients.
        """
        await self._access.create(session)

    def held(self, session: Session, lines: AsyncIterator[Record | BadLine]) -> AsyncGenerator[list[int], None]:
        """The lines whose clients exist with the secrets that were made for them, some at a time."""
        return Holding(self._store, self._secrets).find(session, lines)

    async def run(
        self, session: Session, options: Options, lines: AsyncIterator[Record | BadLine], caller: Caller
    ) -> AsyncGenerator[Sequence[Told], None]:
        """Import `lines` for a caller who was admitted, and tell of some at a time while that goes on.

        A file may take long to arrive: `caller` says before each part of it whose session it is by then. An atomic import tells
        of secrets at its end.

        Raises:
            AlreadyImported: the file creates clients only, and has done so before.
            Throttled: too many of its secrets are in use already.
            Unauthenticated, Forbidden, …: the caller may no longer import; what is behind is left out.
        """
        logbook = Logbook(session, options.digest)
        batches = Batches(self._store, self._access, self._secrets, session, options.key, options.most_secrets, logbook)
        judging = Judging(session, options.key, self._secrets, self._parents)
        begun = await batches.begin(options.source) if options.key is None and options.source else 0
        parts = _Parts(lines, begun, self._answered)

        async def readmit() -> None:
            if await caller() != session:
                raise Forbidden("the caller's rights have changed")
            await self.admit(session)
            batches.forget_permits()
            judging.forget_groups()

        if options.atomic and not options.dry_run:
            with Spool(self._spool()) as spool:
                async for told in self._at_once(batches, judging, parts, spool, readmit):
                    yield told
            return
        summary = Summary(behind=begun)
        async for part in parts:
            await readmit()
            prepared, outcomes = await self._judge(judging, part)
            outcomes += await batches.write(prepared, undo=options.dry_run)
            told = _told(outcomes, prepared, summary)
            yield [one for one in told if isinstance(one, BadLine)] if options.dry_run else told
            if batches.stopped_at is not None:
                break
        summary.stopped_at = parts.stopped_at if batches.stopped_at is None else batches.stopped_at
        if not options.dry_run:
            await batches.finish(summary.counts(), is_complete=summary.stopped_at is None)
            if batches.stopped_at is None and parts.stopped_at is not None:
                await batches.pause(parts.stopped_at)
        yield [summary]

    async def _at_once(
        self,
        batches: Batches,
        judging: Judging,
        parts: "_Parts",
        spool: Spool,
        readmit: Callable[[], Awaitable[None]],
    ) -> AsyncIterator[Sequence[Told]]:
        """Try all lines, then write all of them in one transaction, if each of them is good."""
        judged = Summary()
        async for part in parts:
            await readmit()
            prepared, outcomes = await self._judge(judging, part)
            outcomes += await batches.write(prepared, undo=True)
            yield [one for one in _told(outcomes, prepared, judged) if isinstance(one, BadLine)]
            spool.add(prepared)
            if batches.stopped_at is not None:
                break
        stopped_at = parts.stopped_at if batches.stopped_at is None else batches.stopped_at
        if judged.failed or stopped_at is not None:
            yield [Summary(failed=judged.failed, stopped_at=stopped_at)]
            return
        await readmit()
        try:
            done = await batches.write_all(spool)
        except NotAsJudgedError as error:
            reason = f"{error.reason}: clients were changed by somebody else meanwhile"
            yield [bad_line(error.line, "", "", reason), Summary(failed=1)]
            return
        for prepared in spool:
            lines = [(one.record.line, one.client) for one in prepared if one.record.line in done.made]
            yield [Made(line, client, spool.secrets.get(line, "")) for line, client in lines]
        yield [Summary(**done.counts)]

    async def _judge(self, judging: Judging, part: Sequence[Record | BadLine]) -> tuple[list[Prepared], list[Done | BadLine]]:
        """The lines to be written, and the bad ones."""
        bad = [one for one in part if isinstance(one, BadLine)]
        judged = await judging.judge([one for one in part if isinstance(one, Record)], self._store.now())
        prepared = [one for one in judged if isinstance(one, Prepared)]
        return prepared, [*bad, *(one for one in judged if isinstance(one, BadLine))]


class _Parts:
    """The lines of a file behind the line `begun`, some at a time.

    `stopped_at` is the first line that is not among them, since one import takes no more.
    """

    def __init__(self, lines: AsyncIterator[Record | BadLine], begun: int, answered: Callable[[], int]) -> None:
        self._lines = lines
        self._begun = begun
        self._answered = answered
        self.stopped_at: int | None = None

    async def __aiter__(self) -> AsyncGenerator[list[Record | BadLine], None]:
        part: list[Record | BadLine] = []
        answered, most, left, size = self._answered(), _ALONE, limits.IMPORTED_LINES, 0
        async for line in self._lines:
            if line.line <= self._begun:
                continue
            if not left:
                self.stopped_at = line.line
                break
            left -= 1
            part.append(line)
            size += line.size if isinstance(line, Record) else 0
            if len(part) >= most or size >= _MOST_SIZE:
                yield part
                part, size = [], 0
                before, answered = answered, self._answered()
                most = _ALONE if answered == before else _BESIDE_OTHERS
        if part:
            yield part


def _told(outcomes: Sequence[Done | BadLine], prepared: Sequence[Prepared], summary: Summary) -> list[BadLine | Made]:
    """What is told of some lines, in their order; all of them are counted."""
    secrets = {one.record.line: one.record.secret for one in prepared if one.made}
    told: list[BadLine | Made] = []
    for outcome in outcomes:
        summary.count(outcome_of(outcome))
        if isinstance(outcome, BadLine):
            told.append(outcome)
        elif outcome.holds_made:
            told.append(Made(outcome.line, outcome.client, secrets[outcome.line]))
    return sorted(told, key=lambda one: one.line)
