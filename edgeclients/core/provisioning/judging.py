"""Judges the lines of an import by themselves and against each other, before anything is written."""

import asyncio
from collections.abc import Sequence

from edgeclients.core import creation, limits
from edgeclients.core.ids import EntityIds
from edgeclients.core.parents import Parents
from edgeclients.core.provisioning.planning import OF_LINES, Key, draft, key_of, refused
from edgeclients.core.provisioning.record import BadLine, Record, bad_line
from edgeclients.core.provisioning.writing import Prepared
from edgeclients.core.secrets.foreign import hides_hash, is_foreign
from edgeclients.core.secrets.issue import Secrets, SuppliedSecret
from edgeclients.core.secrets.keyring import check_secret, generate, is_generated_form
from edgeclients.errors import Busy, DomainError, InvalidSecret, text_of
from edgeclients.model import Session, StoredSecret

_HASH = "$"  # a secret that begins with it is a hash, never the secret itself
_UNIQUE = (Key.ID, Key.EXTERNAL_ID)


class Judging:
    """Judges the lines of one file.

    Args:
        session: the caller.
        key: what says which client a line is about; None: each line creates one.
        secrets: makes the stored form of secrets.
        parents: checks parent groups.
    """

    def __init__(self, session: Session, key: Key | None, secrets: Secrets, parents: Parents) -> None:
        self._session = session
        self._key = key
        self._secrets = secrets
        self._parents = parents
        self._unique = tuple(dict.fromkeys((*_UNIQUE, key or Key.ID)))
        self._ids = EntityIds()
        self._groups: dict[str, DomainError | None] = {}
        # Lines by a hash of what must not occur twice: of 64 bits, so that a hundred thousand lines fit a small box.
        self._lines: dict[int, int] = {}

    async def judge(self, records: Sequence[Record], now: int) -> list[Prepared | BadLine]:
        """Each line, prepared to be written, or why it is not."""
        await self._ask_for_groups(records)
        judged = await asyncio.to_thread(lambda: [self._judged(record, now) for record in records])
        stored = await self._stored([one for one in judged if isinstance(one, Prepared)])
        return [stored.get(one.record.line, one) if isinstance(one, Prepared) else one for one in judged]

    def forget_groups(self) -> None:
        """Ask again which parent groups the caller may use."""
        self._groups.clear()

    def _judged(self, record: Record, now: int) -> Prepared | BadLine:
        if (fault := self._repeated(record)) is not None:
            return fault
        group = self._groups.get(record.parent_group_id or "")
        if group is not None:
            return bad_line(record.line, "parent_group_id", record.parent_group_id or "", text_of(group))
        try:
            wanted = draft(record)
            client_id = wanted.id or self._ids.new(now)
            client = creation.client_of(self._session, client_id, wanted, now)
            if record.secret:
                check_secret(record.secret, client_id, self._session.domain_id)
                if hides_hash(record.secret):
                    raise InvalidSecret("is a hash behind a blank: remove what is before the $")
        except OF_LINES as error:
            return refused(record, error)
        made = not record.secret
        if made:
            record.secret = record.generated.secret if record.generated else generate()
        return Prepared(record, client, _NONE, made)

    def _repeated(self, record: Record) -> BadLine | None:
        if self._key and not key_of(record, self._key):
            return bad_line(record.line, self._key, "", "is empty, and says which client the line is about")
        for name in self._unique:
            value = key_of(record, name)
            if value and (first := self._first(name, value, record.line)) != record.line:
                return bad_line(record.line, name, value, f"is in line {first} already")
        if (
            record.secret
            and not is_foreign(record.secret)
            and (first := self._first("secret", record.secret, record.line)) != record.line
        ):
            return bad_line(record.line, "secret", "", f"is in line {first} already")
        return None

    def _first(self, name: str, value: str, line: int) -> int:
        return self._lines.setdefault(hash((name, value)), line)

    async def _ask_for_groups(self, records: Sequence[Record]) -> None:
        """Find out which parent groups may be used; each is asked about once for all of `records`."""
        for record in records:
            group_id = record.parent_group_id or ""
            if group_id and group_id not in self._groups:
                try:
                    await self._parents.admit(self._session, [group_id])
                except OF_LINES as error:
                    self._groups[group_id] = error
                else:
                    self._groups[group_id] = None

    async def _stored(self, lines: Sequence[Prepared]) -> dict[int, Prepared | BadLine]:
        """The lines with the stored form of their secrets, by number."""
        found: dict[int, Prepared | BadLine] = {}
        part: list[Prepared] = []
        chosen = 0
        for one in lines:
            if one.record.secret.startswith(_HASH):
                found[one.record.line] = await self._adopted(one)
                continue
            part.append(one)
            chosen += not one.made and not is_generated_form(one.record.secret)
            if chosen == limits.CHOSEN_SECRETS:
                await self._keep(part)
                part, chosen = [], 0
        await self._keep(part)
        return found

    async def _adopted(self, one: Prepared) -> Prepared | BadLine:
        try:
            one.stored = await self._secrets.adopt(self._session, one.record.secret)
        except OF_LINES as error:
            return refused(one.record, error)
        return one

    async def _keep(self, lines: Sequence[Prepared]) -> None:
        supplied = [SuppliedSecret(one.client.id, one.record.secret) for one in lines if not one.made]
        while True:
            try:
                stored = await self._secrets.keep(self._session, supplied)
                break
            except Busy as busy:  # others have chosen secrets hashed
                await asyncio.sleep(busy.retry_after or 1)
        for one in lines:
            one.stored = stored(one.record.secret)


_NONE = StoredSecret("", b"", None)
