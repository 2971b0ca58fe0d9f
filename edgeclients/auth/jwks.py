"""Auth's public keys from its JWKS document: cached for 5 minutes, fetched at a limited rate (schema/README.md#tokens)."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt
import msgspec

from edgeclients.errors import Unavailable

_log = logging.getLogger(__name__)

KEPT = 300.0  # seconds
APART = 5.0  # minimum seconds between two fetches: invalid tokens cannot force more
_DEADLINE = 10.0
_BYTES = 256 * 1024
_KEYS = 100
_ALGORITHMS = frozenset({"EdDSA", "ES256", "RS256"})  # none of them is symmetric


class Keys:
    """Auth's keys, by id.

    Args:
        url: of the document.
        clock: monotonic seconds.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Future[None] | None = None

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """The key with this id; fetches the document if the key is unknown or too old.

        Raises:
            Unavailable: there are no recent keys.
        """
        if self._is_fresh() and kid in self._keys:
            return self._keys[kid]
        return await self.renewed(kid)

    async def renewed(self, kid: str) -> jwt.PyJWK | None:
        """The key with this id in a document that is at most a moment old.

        Raises:
            Unavailable: there are no recent keys.
        """
        if self._fetching is None and self._clock() - self._tried_at >= APART:
            self._tried_at = self._clock()
            self._fetching = asyncio.ensure_future(self._fetch())
        if self._fetching is not None:
            await asyncio.shield(self._fetching)
        if not self._is_fresh():
            raise Unavailable("no keys", retry_after=int(APART))
        return self._keys.get(kid)

    async def close(self) -> None:
        """Cancel a fetch in progress."""
        if self._fetching is not None:
            self._fetching.cancel()

    def _is_fresh(self) -> bool:
        return self._clock() - self._read_at < KEPT

    async def _fetch(self) -> None:
        try:
            started = self._clock()
            async with asyncio.timeout(_DEADLINE):
                self._keys = _read(await _download(self._url))
            self._read_at = started
        except (OSError, httpx.HTTPError, msgspec.MsgspecError) as error:
            _log.warning("Auth's keys could not be fetched", extra={"error": type(error).__name__, "address": self._url})
        finally:
            self._fetching = None


async def _download(url: str) -> bytes:
    """The document.

    Raises:
        httpx.HTTPError, OSError: it is unavailable or too large, or the server cannot be trusted.
    """
    # No proxy and no password from the environment; CA certificates (SSL_CERT_FILE, SSL_CERT_DIR) may come from it.
    tls = await asyncio.to_thread(httpx.create_ssl_context)
    client = httpx.AsyncClient(timeout=_DEADLINE, verify=tls, trust_env=False)
    async with client, client.stream("GET", url) as response:
        response.raise_for_status()
        content = b""
        async for part in response.aiter_bytes():
            content += part
            if len(content) > _BYTES:
                raise httpx.DecodingError("the document is too large")
        return content


class _Document(msgspec.Struct):
    keys: list[dict[str, Any]]


def _read(content: bytes) -> dict[str, jwt.PyJWK]:
    """The keys that tokens may be signed with; all others are ignored.

    Raises:
        msgspec.MsgspecError: it is not a JWKS document.
    """
    found = {}
    for one in msgspec.json.decode(content, type=_Document).keys[:_KEYS]:
        kid = one.get("kid")
        if not isinstance(kid, str) or one.get("use", "sig") != "sig":
            continue
        try:
            key = jwt.PyJWK(one)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        if key.algorithm_name in _ALGORITHMS:
            found[kid] = key
    return found
