"""Access tokens verified here: JWTs that Auth signed (contract 12.1)."""

from collections.abc import Callable

import jwt
import msgspec

from edgeclients.auth.jwks import Keys
from edgeclients.errors import Unauthenticated
from edgeclients.peers.auth import Bearer
from edgeclients.times import SECOND

ISSUER = "magistrala.auth"
_REQUIRED = ["exp", "iat", "iss", "sub"]


class _Claims(msgspec.Struct):
    """What of a token's claims is used; of other types they are refused."""

    sub: str
    exp: float
    iat: float
    type: int
    role: int
    verified: bool
    nbf: float = 0


class Tokens:
    """Verifies tokens.

    Args:
        keys: of Auth.
        now: the time they are judged by, in microseconds since 1970.
    """

    def __init__(self, keys: Keys, now: Callable[[], int]) -> None:
        self._keys = keys
        self._now = now

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
                return self._bearer(token, await self._keys.find(kid))
            except jwt.InvalidSignatureError:
                return self._bearer(token, await self._keys.renewed(kid))  # another key has that id by now
        except (jwt.PyJWTError, msgspec.ValidationError) as error:
            raise Unauthenticated(type(error).__name__) from error

    def _bearer(self, token: str, key: jwt.PyJWK | None) -> Bearer:
        if key is None:
            raise Unauthenticated("unknown key")
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=ISSUER,
            # Times are compared below: PyJWT knows no clock but this host's.
            options={"require": _REQUIRED, "verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        told = msgspec.convert(claims, _Claims)
        now = self._now() / SECOND
        if told.exp <= now or told.iat > now or told.nbf > now:
            raise Unauthenticated("not valid now")
        return Bearer("", told.sub, told.role, told.verified, told.type)
