"""Access tokens verified here: JWTs that Auth signed (contract 12.1)."""

import jwt
import msgspec

from edgeclients.auth.jwks import Keys
from edgeclients.errors import Unauthenticated
from edgeclients.peers.auth import Bearer

ISSUER = "magistrala.auth"
_REQUIRED = ["exp", "iat", "iss", "sub"]


class _Claims(msgspec.Struct):
    """What of a token's claims is used; of other types they are refused."""

    sub: str
    type: int
    role: int
    verified: bool


class Tokens:
    """Verifies tokens.

    Args:
        keys: of Auth.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    async def verify(self, token: str) -> Bearer:
        """Who `token` belongs to; times are compared without leeway.

        Raises:
            Unauthenticated: it is none of Auth's, or not valid now.
            Unavailable: Auth's keys cannot be had.
        """
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise Unauthenticated("no JWT") from error
        if not isinstance(kid, str):
            raise Unauthenticated("no kid")
        try:
            try:
                return _bearer(token, await self._keys.find(kid))
            except jwt.InvalidSignatureError:
                return _bearer(token, await self._keys.renewed(kid))  # another key has that id by now
        except (jwt.PyJWTError, msgspec.ValidationError) as error:
            raise Unauthenticated(type(error).__name__) from error


def _bearer(token: str, key: jwt.PyJWK | None) -> Bearer:
    if key is None:
        raise Unauthenticated("unknown key")
    claims = jwt.decode(
        token,
        key,
        algorithms=[key.algorithm_name],
        issuer=ISSUER,
        options={"require": _REQUIRED, "verify_aud": False},
    )
    told = msgspec.convert(claims, _Claims)
    return Bearer("", told.sub, told.role, told.verified, told.type)
