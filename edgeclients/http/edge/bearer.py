"""Whose token a request brings, and how often an address may bring a wrong one."""

import ipaddress
from typing import Any

from edgeclients.core.token_bucket import TokenBuckets, whole_seconds
from edgeclients.errors import Throttled, Unauthenticated
from edgeclients.model import Identity
from edgeclients.ports import Authenticator

_ADDRESSES = 10_000
_PREFIX = 64  # of an IPv6 address: what one network may use as it likes


class BearerTokens:
    """Asks an authenticator, and counts what it refuses.

    Args:
        authenticator: whose token is it.
        wrong_tokens: so many a minute and address are told to be wrong; of more it is told that they are too many.
    """

    def __init__(self, authenticator: Authenticator, wrong_tokens: int) -> None:
        self._authenticator = authenticator
        self._ration: TokenBuckets[str] = TokenBuckets(wrong_tokens, wrong_tokens / 60, _ADDRESSES)

    async def identify(self, token: str, peer: Any) -> Identity:
        """The identity behind `token`, which is asked about whatever came from its address before.

        Args:
            token: as presented.
            peer: address and port, as ASGI has them; None where that is not known.

        Raises:
            Unauthenticated: the token is not valid.
            Throttled: nor were many others from there.
            Unavailable: whoever knows cannot be asked.
        """
        try:
            return await self._authenticator.authenticate(token)
        except Unauthenticated:
            address = _network(peer[0]) if peer else ""
            wait = self._ration.wait(address)
            if wait:
                raise Throttled("wrong tokens", retry_after=whole_seconds(wait)) from None
            self._ration.take(address)
            raise


def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), _PREFIX), strict=False))
