"""Verifies access tokens locally: JWTs signed by Auth (schema/README.md#tokens)."""

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
    """The claims in use; a claim of another type is refused."""

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
        keys: the public keys of Auth.
        now: the time for checking tokens, in microseconds since 1970.
    """

    def __init__(self, keys: Keys, now: Callable[[], int]) -> None:
        self._keys = keys
        self._now = now

    async def verify(self, token: str) -> Bearer:
        """The owner of `token`; times are compared without leeway.

        Raises:
            Unauthenticated: it is not a token of Auth, or not valid now.
            Unavailable: Auth's keys are unavailable.
        """
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise Unauthenticated("not a JWT") from error
        if not isinstance(kid, str):
            raise Unauthenticated("no kid")
        try:
            try:
                return self._bearer(token, await self._keys.find(kid))
            except jwt.InvalidSignatureError:
                return self._bearer(token, await self._keys.renewed(kid))  # the key of that id may have changed
        except (jwt.PyJWTError, msgspec.ValidationError) as error:
            raise Unauthenticated(type(error).__name__) from error

    def _bearer(self, token: str, key: jwt.PyJWK | None) -> Bearer:
        if key is None:
            raise Unauthenticated("unknown key")
        decoded = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            issuer=ISSUER,
            # Times are compared below: PyJWT knows only this host's clock.
            options={"require": _REQUIRED, "verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        claims = msgspec.convert(decoded, _Claims)
        now = self._now() / SECOND
        if claims.exp <= now or claims.iat > now or claims.nbf > now:
            raise Unauthenticated("not valid now")
        return Bearer("", claims.sub, claims.role, claims.verified, claims.type)
