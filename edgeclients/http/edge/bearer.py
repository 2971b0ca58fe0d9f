"""Identification of bearer tokens, with a rate limit on invalid tokens by address."""

import ipaddress
from typing import Any

from edgeclients.core.token_bucket import TokenBuckets, whole_seconds
from edgeclients.errors import Throttled, Unauthenticated
from edgeclients.model import Identity
from edgeclients.ports import Authenticator

_ADDRESSES = 10_000
_PREFIX = 64  # of an IPv6 address: one network may use every address below it


class BearerTokens:
    """Identifies bearer tokens, and counts the invalid ones of each address.

    Args:
        authenticator: identifies a token.
        wrong_tokens: invalid tokens a minute and address that raise `Unauthenticated`; more raise `Throttled`.
    """

    def __init__(self, authenticator: Authenticator, wrong_tokens: int) -> None:
        self._authenticator = authenticator
        self._buckets: TokenBuckets[str] = TokenBuckets(wrong_tokens, wrong_tokens / 60, _ADDRESSES)

    async def identify(self, token: str, peer: Any) -> Identity:
        """The identity of `token`. A valid token is accepted from every address, even one over its limit.

        Args:
            token: as presented.
            peer: address and port from the ASGI scope; None if unknown.

        Raises:
            Unauthenticated: the token is not valid.
            Throttled: the token is not valid, and the address is over its limit.
            Unavailable: the authenticator cannot answer.
        """
        try:
            return await self._authenticator.authenticate(token)
        except Unauthenticated:
            address = _network(peer[0]) if peer else ""
            wait = self._buckets.wait(address)
            if wait:
                raise Throttled("wrong tokens", retry_after=whole_seconds(wait)) from None
            self._buckets.take(address)
            raise


def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((int(address), _PREFIX), strict=False))
