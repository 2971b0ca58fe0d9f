"""What the caller of an import may do to the clients that exist, judged as through the route of each operation."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from edgeclients.core.authz import callouts
from edgeclients.core.authz.access import Access
from edgeclients.core.authz.permit import Permit
from edgeclients.core.provisioning.planning import Key, draft, refused
from edgeclients.core.provisioning.record import BadLine, bad_line
from edgeclients.core.provisioning.undone import UndoneError
from edgeclients.core.provisioning.writing import Done, Plan, Prepared, Writing
from edgeclients.errors import CalloutRefused, DomainForbidden, Forbidden, NotFound
from edgeclients.model import Session
from edgeclients.operations import Operation
from edgeclients.ports import Store, Transaction

_OPERATIONS: Final = (
    *(Operation.UPDATE, Operation.UPDATE_TAGS, Operation.UPDATE_SECRET, Operation.ENABLE, Operation.DISABLE),
    *(Operation.SET_PARENT_GROUP, Operation.REMOVE_PARENT_GROUP, Operation.CONNECT, Operation.DISCONNECT),
)


class Permits:
    """What the caller may do, asked once until it is forgotten.

    Args:
        store: the clients.
        access: checks permissions.
        session: the caller.
        key: what says which client a line is about; None: each line creates one.
    """

    def __init__(self, store: Store, access: Access, session: Session, key: Key | None) -> None:
        self._store = store
        self._access = access
        self._session = session
        self._key = key
        self._everything: Mapping[Operation, Permit] | None = None

    def forget(self) -> None:
        """Ask again."""
        self._everything = None

    @property
    def asks_callouts(self) -> bool:
        """Whether a callout is asked about what a line does."""
        return self._access.asks(Operation.CREATE_CLIENTS, *_OPERATIONS)

    async def everything(self) -> Mapping[Operation, Permit]:
        """What the caller may do to clients, by operation, as far as no single client matters."""
        if self._everything is None:
            found = {}
            for operation in _OPERATIONS:
                try:
                    found[operation] = await self._access.permit(self._session, operation)
                except (DomainForbidden, Forbidden):
                    continue
            self._everything = found
        return self._everything

    async def admit(self, lines: Sequence[Prepared]) -> tuple[list[Prepared], list[Done | BadLine]]:
        """The lines that may be written as far as is known by now, with their permits; and the others."""
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
        if self.asks_callouts:
            return True
        everything = await self.everything()
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
            writing = Writing(tx, self._session, self._key, {}, 0)
            plans.update(await writing.plans(lines))
            raise UndoneError

        try:
            await self._store.run(unit)
        except UndoneError as undone:
            undone.forget()
        return plans
