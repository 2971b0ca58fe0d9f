"""Local operators: users in addition to the standalone operator, their standings in domains, and their tokens."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from edgeclients.core import events, journal, limits
from edgeclients.core.ids import new_operator_token, new_uuid
from edgeclients.core.secrets.keyring import Keyring
from edgeclients.errors import InvalidId, InvalidName, OperatorTaken, TooManyElements, UnknownOperator, UnknownToken
from edgeclients.model import DomainStanding, LocalOperator, OperatorToken, Role, Session, is_domain
from edgeclients.ports import Store, Transaction
from edgeclients.times import ends_at

# A member's id (schema/README.md#members) that can be part of a token: printable ASCII without spaces.
_ID = re.compile(r"[A-Za-z0-9._@-]{1,36}")
_BY = "edgeclients operators"  # the user who changed the roles of a removed operator


class NewToken(NamedTuple):
    """A token in clear, to be shown once, and its stored form."""

    clear: str
    kept: OperatorToken


class LocalOperators:
    """The use cases of local operators, for users with access to the data directory.

    Args:
        store: the operators.
        reserved: the id of the standalone operator, which no other operator may have.
        by: who uses them, for the journal.
    """

    def __init__(self, store: Store, reserved: str = "", by: str = "") -> None:
        self._store = store
        self._reserved = reserved
        self._by = by

    async def add(self, operator_id: str, name: str, domains: Mapping[str, DomainStanding]) -> LocalOperator:
        """Add an operator.

        Raises:
            InvalidId, InvalidName, TooManyElements: an argument is not valid.
            OperatorTaken: there is an operator with this id.
        """
        if not _ID.fullmatch(operator_id):
            raise InvalidId("operator")
        _check(name, domains)
        if operator_id == self._reserved:
            raise OperatorTaken("the standalone operator's")

        async def unit(tx: Transaction) -> LocalOperator:
            if await tx.operator(operator_id) is not None:
                raise OperatorTaken
            operator = LocalOperator(operator_id, name, tx.now, dict(domains))
            await tx.put_operator(operator)
            await tx.record([journal.of_operator("add", operator_id, self._by, after=_described(operator))])
            return operator

        return await self._store.run(unit)

    async def change(
        self, operator_id: str, name: str | None, domains: Mapping[str, DomainStanding], without: Iterable[str] = ()
    ) -> LocalOperator:
        """Rename an operator, set its standing in some domains, and remove it from others.

        Raises:
            InvalidId, InvalidName, TooManyElements: an argument is not valid.
            UnknownOperator: there is no operator with this id.
        """
        left = set(without)

        async def unit(tx: Transaction) -> LocalOperator:
            old = await _operator(tx, operator_id)
            kept = {domain: standing for domain, standing in {**old.domains, **domains}.items() if domain not in left}
            new = msgspec.structs.replace(old, name=old.name if name is None else name, domains=kept)
            _check(new.name, new.domains)
            await tx.put_operator(new)
            told = {"before": _described(old), "after": _described(new)}
            await tx.record([journal.of_operator("change", operator_id, self._by, **told)])
            return new

        return await self._store.run(unit)

    async def all(self) -> tuple[LocalOperator, ...]:
        """Every operator, by id."""
        return await self._store.operators()

    async def remove(self, operator_id: str) -> int:
        """Remove an operator with all tokens and role memberships; its requests are denied from now on.

        Returns:
            How many roles the operator had.

        Raises:
            UnknownOperator: there is no operator with this id.
        """
        session = Session(_BY, "", super_admin=False, request_id=new_uuid())

        async def unit(tx: Transaction) -> int:
            operator = await _operator(tx, operator_id)
            left = await tx.leave_roles(operator_id, _BY)
            await tx.remove_operator(operator_id)
            await tx.append([events.members_removed(session, role, (operator_id,)) for role in left])
            before = _described(operator)
            await tx.record([journal.of_operator("remove", operator_id, self._by, before=before, roles=len(left))])
            await self._record_left(tx, operator_id, left)
            return len(left)

        return await self._store.run(unit)

    async def _record_left(self, tx: Transaction, operator_id: str, left: Sequence[Role]) -> None:
        """Record in each domain that an operator has left these roles of clients, at most one of a client."""
        roles = {role.entity_id: role for role in left}
        before = journal.of_members([operator_id])
        for domain_id, client_ids in journal.by_domain(await tx.domains(list(roles))).items():
            session = journal.command_in(domain_id, self._by)
            if len(client_ids) == 1:
                entries = [journal.of_role(session, journal.REMOVE_MEMBERS, roles[client_ids[0]], before)]
            else:
                entries = journal.one_or_many(session, f"client.role.{journal.REMOVE_MEMBERS}", client_ids, before=before)
            await tx.record(entries)

    async def add_token(self, keyring: Keyring, operator_id: str, name: str, lifetime: int | None = None) -> NewToken:
        """Create a token of an operator, valid for `lifetime` seconds or until it is removed.

        Raises:
            InvalidName, TooManyElements: the name is not valid, or the operator has too many tokens.
            UnknownOperator: there is no operator with this id.
            TokenNameTaken: the operator has a token of this name.
        """
        _check_name(name)
        clear = new_operator_token(operator_id)
        digest, key_id = keyring.keep_token(clear)

        async def unit(tx: Transaction) -> OperatorToken:
            await _operator(tx, operator_id)
            if await tx.count_operator_tokens(operator_id) >= limits.OPERATOR_TOKENS:
                raise TooManyElements("tokens")
            expires_at = None if lifetime is None else tx.now + lifetime * 1_000_000
            token = OperatorToken(operator_id, name, digest, key_id, tx.now, expires_at)
            await tx.add_operator_token(token)
            told = {"token_name": name, "lifetime_seconds": lifetime}
            await tx.record([journal.of_operator("add_token", operator_id, self._by, **told)])
            return token

        return NewToken(clear, await self._store.run(unit))

    async def tokens(self, operator_id: str) -> tuple[OperatorToken, ...]:
        """The tokens of an operator, by name.

        Raises:
            UnknownOperator: there is no operator with this id.
        """
        if all(operator.id != operator_id for operator in await self._store.operators()):
            raise UnknownOperator
        now = self._store.now()
        return tuple(_ending(token, now) for token in await self._store.operator_tokens(operator_id))

    async def remove_token(self, operator_id: str, name: str) -> None:
        """Remove a token; requests with it are denied from now on.

        Raises:
            UnknownOperator, UnknownToken: there is no such operator, or it has no such token.
        """

        async def unit(tx: Transaction) -> None:
            await _operator(tx, operator_id)
            if not name.isprintable() or not await tx.remove_operator_token(operator_id, name):
                raise UnknownToken
            await tx.record([journal.of_operator("remove_token", operator_id, self._by, token_name=name)])

        await self._store.run(unit)


def _described(operator: LocalOperator) -> dict[str, Any]:
    """An operator in the journal."""
    return {"name": operator.name, "domains": {domain: str(standing) for domain, standing in operator.domains.items()}}


def _ending(token: OperatorToken, now: int) -> OperatorToken:
    """`token` with its actual expiry, which may differ from the one set at its creation."""
    if token.expires_at is None:
        return token
    return msgspec.structs.replace(token, expires_at=ends_at(token.created_at, token.expires_at, token.counted_from, now))


async def _operator(tx: Transaction, operator_id: str) -> LocalOperator:
    operator = await tx.operator(operator_id) if _ID.fullmatch(operator_id) else None
    if operator is None:
        raise UnknownOperator
    return operator


def _check(name: str, domains: Mapping[str, DomainStanding]) -> None:
    _check_name(name)
    if not all(map(is_domain, domains)):
        raise InvalidId("domain")
    if len(domains) > limits.OPERATOR_DOMAINS:
        raise TooManyElements("domains")


def _check_name(name: str) -> None:
    # The name is shown on terminals.
    if not 0 < len(name) <= limits.OPERATOR_NAME_CHARACTERS or not name.isprintable():
        raise InvalidName
