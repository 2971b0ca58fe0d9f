"""What a command on this machine may do: everything, as it could change the files themselves."""

from collections.abc import Mapping, Sequence

from typing_extensions import override

from edgeclients.model import ALL_ACTIONS, EVERYTHING, Action, Session, Standing
from edgeclients.operations import Operation
from edgeclients.ports import Authorizer


class WithLocalCallers(Authorizer):
    """`ports.Authorizer` that lets sessions of the data directory's socket do everything, and asks another one about others."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    @override
    async def standing(self, session: Session, operation: Operation, client_ids: Sequence[str] = ()) -> Standing:
        return EVERYTHING if session.local else await self._authorizer.standing(session, operation, client_ids)

    @override
    async def group_actions(self, session: Session, operation: Operation, group_ids: Sequence[str]) -> Mapping[str, Action]:
        if session.local:
            return dict.fromkeys(group_ids, ALL_ACTIONS)
        return await self._authorizer.group_actions(session, operation, group_ids)

    @override
    async def admit_to_group(self, session: Session, operation: Operation, group_id: str) -> None:
        if not session.local:
            await self._authorizer.admit_to_group(session, operation, group_id)

    @override
    async def admit_members(self, session: Session, member_ids: Sequence[str]) -> None:
        if not session.local:
            await self._authorizer.admit_members(session, member_ids)

    @override
    def roles_changed(self) -> None:
        self._authorizer.roles_changed()
