"""`auth.v1.AuthService`: the owner of a token, and permissions (schema/README.md#services-asked)."""

from typing import NamedTuple

from edgeclients._pb.auth.v1 import auth_pb2
from edgeclients.errors import Forbidden
from edgeclients.peers.link import Link

_AUTHENTICATE = "/auth.v1.AuthService/Authenticate"
_AUTHORIZE = "/auth.v1.AuthService/Authorize"


class Bearer(NamedTuple):
    """Auth's answer about a token; numbers are those of schema/README.md#services-asked."""

    id: str
    user_id: str
    role: int
    verified: bool
    token_type: int


class Scope(NamedTuple):
    """The scope that a personal access token is used for (schema/README.md#pat-scopes)."""

    pat_id: str
    user_id: str
    domain_id: str
    entity_type: str
    entity_id: str
    operation: str


class PolicyQuestion(NamedTuple):
    """Whether a subject, a user, has a permission on an object; with a scope also whether a personal access token has it."""

    subject: str
    permission: str
    object_type: str
    object_id: str
    domain_id: str = ""
    subject_kind: str = ""
    scope: Scope | None = None


class AuthService:
    """Calls Auth.

    Args:
        link: the link to the service.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def authenticate(self, token: str) -> Bearer:
        """The owner of `token`.

        Raises:
            DomainError: see `Link.call`.
        """
        found = await self._link.call(_AUTHENTICATE, auth_pb2.AuthNReq(token=token), auth_pb2.AuthNRes)
        return Bearer(found.id, found.user_id, found.user_role, found.verified, found.token_type)

    async def allows(self, question: PolicyQuestion) -> bool:
        """Whether Auth grants the permission.

        Raises:
            DomainError: see `Link.call`; a refusal is an answer, not an error.
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
