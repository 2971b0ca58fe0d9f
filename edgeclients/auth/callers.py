"""Authenticates callers by access tokens and personal access tokens of Auth (schema/README.md#tokens)."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from typing_extensions import override

from edgeclients.errors import (
    EmailNotVerified,
    Forbidden,
    IdTaken,
    MalformedRequest,
    NotFound,
    Unauthenticated,
)
from edgeclients.model import Identity
from edgeclients.peers.auth import AuthService, Bearer, PolicyQuestion
from edgeclients.ports import Authenticator

_ACCESS, _PAT = 0, 4  # the accepted token types; refresh, recovery and the like are not
_USER, _SUPER_ADMIN = 1, 2
_PAT_PREFIX = "pat_"
_TOKEN_CHARACTERS = 16 * 1024


class Verifier(Protocol):
    """Verifies access tokens without asking Auth."""

    async def verify(self, token: str) -> Bearer:
        """The owner of the token; see `tokens.Tokens`."""


class AuthTokens(Authenticator):
    """`ports.Authenticator` with the Auth service.

    Args:
        auth: the service.
        allows: asks Auth for a permission.
        verifier: of access tokens; None to ask Auth about these too.
        unverified: whether users with an unverified e-mail address may call.
    """

    def __init__(
        self,
        auth: AuthService,
        allows: Callable[[PolicyQuestion], Awaitable[bool]],
        verifier: Verifier | None,
        *,
        unverified: bool,
    ) -> None:
        self._auth = auth
        self._allows = allows
        self._verifier = verifier
        self._unverified = unverified

    @override
    async def authenticate(self, token: str) -> Identity:
        if len(token) > _TOKEN_CHARACTERS or not token.isascii():
            raise Unauthenticated("not a token of Auth")
        is_pat = token.startswith(_PAT_PREFIX)
        if self._verifier is None or is_pat:
            bearer = await self._ask_auth(token)
            is_pat = is_pat or bearer.token_type == _PAT
        else:
            bearer = await self._verifier.verify(token)
        _check(bearer, is_pat=is_pat)
        super_admin = bearer.role == _SUPER_ADMIN and await self._allows(
            PolicyQuestion(bearer.user_id, "admin", "platform", "magistrala")
        )
        if not (bearer.verified or is_pat or super_admin or self._unverified):
            raise EmailNotVerified
        return Identity(bearer.user_id, super_admin, bearer.id if is_pat else "")

    async def _ask_auth(self, token: str) -> Bearer:
        try:
            return await self._auth.authenticate(token)
        except (Forbidden, IdTaken, MalformedRequest, NotFound) as error:
            raise Unauthenticated(error.detail) from error


def _check(bearer: Bearer, *, is_pat: bool) -> None:
    """Raise `Unauthenticated` unless the owner may call with this kind of token."""
    if bearer.token_type not in ({_ACCESS, _PAT} if is_pat else {_ACCESS}):
        raise Unauthenticated("not an access token")
    if bearer.role not in {_USER, _SUPER_ADMIN}:
        raise Unauthenticated("unknown role")
    if not bearer.user_id or (is_pat and not bearer.id):
        raise Unauthenticated("no owner")
