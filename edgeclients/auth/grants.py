"""Authorises callers by permissions of Auth (schema/README.md#permissions)."""

from collections.abc import Mapping, Sequence
from typing import Final

from typing_extensions import override

from edgeclients.auth.answers import AnswerCache
from edgeclients.concurrency import map_concurrently
from edgeclients.errors import DomainForbidden, Forbidden
from edgeclients.model import NO_ACTIONS, Action, Session, Standing
from edgeclients.operations import Operation
from edgeclients.peers.auth import AuthService, PolicyQuestion, Scope
from edgeclients.peers.domains import DomainsService, DomainStatus
from edgeclients.ports import Authorizer

_ANY: Final = "*"
# Limits the names in questions: answers are cached, and callers choose the names.
_NAME_CHARACTERS: Final = 512


class Grants(Authorizer):
    """`ports.Authorizer` with the Auth service.

    Args:
        auth: the service.
        domains: the service with the state of domains; None: all are enabled.
    """

    def __init__(self, auth: AuthService, domains: DomainsService | None) -> None:
        self._answers: AnswerCache[PolicyQuestion, bool] = AnswerCache(auth.allows)
        self._statuses = AnswerCache(domains.status) if domains is not None else None

    async def allows(self, question: PolicyQuestion) -> bool:
        """Auth's answer to a question, cached for a moment; False for names that are too long to exist."""
        names = (question.subject, question.object_id, question.scope.entity_id if question.scope else "")
        if any(len(name) > _NAME_CHARACTERS for name in names):
            return False
        return await self._answers.get(question)

    @override
    async def standing(self, session: Session, operation: Operation, client_ids: Sequence[str] = ()) -> Standing:
        entered = await self._enter(session)
        await self._check_scope(session, entered, operation, client_ids)
        if operation is Operation.CREATE_CLIENTS:
            creates = await self.allows(_of_domain(session, operation, "client_create_permission"))
            return Standing(NO_ACTIONS, creates)
        granted = await self._granted(operation.wanted_actions, _of_domain(session, operation, ""))
        return Standing(granted, creates=False, by_group=True)

    @override
    async def group_actions(self, session: Session, operation: Operation, group_ids: Sequence[str]) -> Mapping[str, Action]:
        async def granted(group_id: str) -> Action:
            return await self._granted(operation.wanted_actions, _of_group(session, operation, "", group_id))

        return dict(zip(group_ids, await map_concurrently(granted, group_ids), strict=True))

    @override
    async def admit_to_group(self, session: Session, operation: Operation, group_id: str) -> None:
        question = _of_group(session, operation, "set_child_permission", group_id)
        if session.pat_id:
            question = question._replace(scope=_scope(session, "groups", operation, group_id))
        if not await self.allows(question):
            raise Forbidden("group")

    @override
    async def admit_members(self, session: Session, member_ids: Sequence[str]) -> None:
        async def admit(member_id: str) -> None:
            member = f"{session.domain_id}_{member_id}"
            if not await self.allows(PolicyQuestion(member, "membership", "domain", session.domain_id)):
                raise Forbidden("not a member of the domain")

        await map_concurrently(admit, member_ids)

    @override
    def roles_changed(self) -> None:
        self._answers.forget()

    async def _enter(self, session: Session) -> PolicyQuestion:
        """The question that Auth affirms because the caller may act in the domain, given the domain's state.

        Raises:
            DomainForbidden: Auth denied it.
            NotFound, InvalidStatus: there is no such domain, or it is deleted.
        """
        question = _ENTRIES[await self._status(session.domain_id)](session)
        if not await self.allows(question):
            raise DomainForbidden
        return question

    async def _status(self, domain_id: str) -> DomainStatus:
        return DomainStatus.ENABLED if self._statuses is None else await self._statuses.get(domain_id)

    async def _check_scope(
        self, session: Session, entered: PolicyQuestion, operation: Operation, client_ids: Sequence[str]
    ) -> None:
        """Raise `Forbidden` if a personal access token is not valid for this, whatever its owner may do.

        The scope is asked about together with a question that was affirmed, so that the answer is about the token alone.
        """
        if not session.pat_id:
            return

        async def fits(client_id: str) -> bool:
            return await self.allows(entered._replace(scope=_scope(session, "clients", operation, client_id)))

        if len(client_ids) == 1:
            admitted = await fits(client_ids[0])
        else:
            admitted = await fits(_ANY) or (bool(client_ids) and all(await map_concurrently(fits, dict.fromkeys(client_ids))))
        if not admitted:
            raise Forbidden("outside the scope of the token")

    async def _granted(self, wanted: Action, about: PolicyQuestion) -> Action:
        """The actions of `wanted` that Auth grants on the clients of the object in `about`."""

        async def allowed(action: Action) -> bool:
            return await self.allows(about._replace(permission=f"client_{str(action.name).lower()}_permission"))

        actions = list(wanted)
        answers = await map_concurrently(allowed, actions)
        granted = NO_ACTIONS
        for action, answer in zip(actions, answers, strict=True):
            if answer:
                granted |= action
        return granted


def _subject(session: Session) -> str:
    """The caller in the form that policies use (schema/README.md#tokens)."""
    return session.user_id if session.super_admin else f"{session.domain_id}_{session.user_id}"


def _kind(operation: Operation) -> str:
    return "users" if operation.on_roles else ""


def _of_domain(session: Session, operation: Operation, permission: str) -> PolicyQuestion:
    return PolicyQuestion(_subject(session), permission, "domain", session.domain_id, session.domain_id, _kind(operation))


def _of_group(session: Session, operation: Operation, permission: str, group_id: str) -> PolicyQuestion:
    return PolicyQuestion(_subject(session), permission, "group", group_id, session.domain_id, _kind(operation))


def _scope(session: Session, entity_type: str, operation: Operation, entity_id: str) -> Scope:
    return Scope(session.pat_id, session.user_id, session.domain_id, entity_type, entity_id, operation.scope)


# Who may act in a domain, by its state (schema/README.md#domain-states).
_ENTRIES: Final = {
    DomainStatus.ENABLED: lambda session: PolicyQuestion(_subject(session), "membership", "domain", session.domain_id),
    DomainStatus.DISABLED: lambda session: PolicyQuestion(_subject(session), "admin", "domain", session.domain_id),
    DomainStatus.FROZEN: lambda session: PolicyQuestion(_subject(session), "admin", "platform", "magistrala"),
}
