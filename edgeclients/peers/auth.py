"""`auth.v1.AuthService`: who a token belongs to, and what somebody may (contract 6)."""

from typing import NamedTuple

from edgeclients._pb.auth.v1 import auth_pb2
from edgeclients.errors import Forbidden
from edgeclients.peers.link import Link

_AUTHENTICATE = "/auth.v1.AuthService/Authenticate"
_AUTHORIZE = "/auth.v1.AuthService/Authorize"


class Bearer(NamedTuple):
    """What Auth says of a token; numbers are contract 6's."""

    id: str
    user_id: str
    role: int
    verified: bool
    token_type: int


class Scope(NamedTuple):
    """What a personal access token is used for (contract 12.6)."""

    pat_id: str
    user_id: str
    domain_id: str
    entity_type: str
    entity_id: str
    operation: str


class PolicyQuestion(NamedTuple):
    """May this subject, a user, do this to that object? With a scope: and may it with this personal access token?"""

    subject: str
    permission: str
    object_type: str
    object_id: str
    domain_id: str = ""
    subject_kind: str = ""
    scope: Scope | None = None


class AuthService:
    """Asks Auth.

    Args:
        link: to it.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def authenticate(self, token: str) -> Bearer:
        """Who `token` belongs to.

        Raises:
            DomainError: as `Link.call` has it.
        """
        found = await self._link.call(_AUTHENTICATE, auth_pb2.AuthNReq(token=token), auth_pb2.AuthNRes)
        return Bearer(found.id, found.user_id, found.user_role, found.verified, found.token_type)

    async def allows(self, question: PolicyQuestion) -> bool:
        """Whether Auth says yes.

        Raises:
            DomainError: as `Link.call` has it; but a refusal is an answer.
        """
        try:
            answer = await self._link.call(_AUTHORIZE, _request(question), auth_pb2.AuthZRes)
        except Forbidden:
            return False
        return bool(answer.authorized)


def _request(question: PolicyQuestion) -> auth_pb2.AuthZReq:
    policy = auth_pb2.PolicyReq(
        domain=question.domain_id,
        subject_type="user",
        subject_kind=question.subject_kind,
        subject=question.subject,
        permission=question.permission,
        object=question.object_id,
        object_type=question.object_type,
    )
    if question.scope is None:
        return auth_pb2.AuthZReq(policy_req=policy)
    scope = question.scope
    return auth_pb2.AuthZReq(
        policy_req=policy,
        pat_req=auth_pb2.PATReq(
            pat_id=scope.pat_id,
            user_id=scope.user_id,
            domain=scope.domain_id,
            entity_type=scope.entity_type,
            entity_id=scope.entity_id,
            operation=scope.operation,
        ),
    )
