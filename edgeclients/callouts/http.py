"""`ports.Callout`: one or more HTTP servers, asked in sequence (schema/README.md#callouts)."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from typing_extensions import override

from edgeclients import __version__
from edgeclients.errors import CalloutFailed, CalloutRefused
from edgeclients.model import Question
from edgeclients.ports import Callout
from edgeclients.traces import outgoing

if TYPE_CHECKING:
    import ssl

    import httpx

_log = logging.getLogger(__name__)

_BODY_BYTES = 16 * 1024  # of an answer; the rest is not read
_MESSAGE_CHARACTERS = 1000
_LARGE = 64  # entities; more are encoded off the event loop
_HEADERS = {
    "user-agent": f"edgeclients/{__version__}",
    "content-type": "application/json",
    "accept-encoding": "identity",  # a small answer cannot become a large one
}


class CalloutConfiguration(NamedTuple):
    """How callouts are asked: the HTTP method, the time limit for an answer in seconds, and the operations."""

    method: str
    seconds: float
    operations: frozenset[str]


class HttpCallout(Callout):
    """Asks every URL; the first refusal decides.

    Args:
        urls: the callouts.
        configuration: how they are asked.
        tls: the TLS context for https.
    """

    def __init__(self, urls: Sequence[str], configuration: CalloutConfiguration, tls: "ssl.SSLContext") -> None:
        self._urls = urls
        self._configuration = configuration
        self._http = self._client(tls)
        self._closing: set[asyncio.Task[None]] = set()

    def use(self, tls: "ssl.SSLContext") -> None:
        """Reconnect with this context; requests in progress are completed on the old connections."""
        old, self._http = self._http, self._client(tls)
        closing = asyncio.ensure_future(self._close_later(old))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close the connections."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(self._http.aclose(), *self._closing, return_exceptions=True)

    @override
    def wants(self, operation: str) -> bool:
        return operation in self._configuration.operations

    @override
    async def ask(self, question: Question) -> None:
        request = await self._request(question)
        for number, url in enumerate(self._urls, 1):
            status, text = await self._answer(number, url, request)
            if 200 <= status < 300:
                continue
            if not 400 <= status < 600:
                _log.warning("a callout answered with an unexpected status", extra={"callout": number, "status": status})
                raise CalloutFailed(f"callout {number}: status {status}")
            raise CalloutRefused(status, text)

    def _client(self, tls: "ssl.SSLContext") -> "httpx.AsyncClient":
        import httpx

        return httpx.AsyncClient(
            verify=tls, headers=_HEADERS, timeout=self._configuration.seconds, follow_redirects=False, trust_env=False
        )

    async def _close_later(self, old: "httpx.AsyncClient") -> None:
        try:
            await asyncio.sleep(self._configuration.seconds)  # no answer takes longer
        finally:
            await old.aclose()

    async def _request(self, question: Question) -> dict[str, Any]:
        """The request: a body, or the query of a GET."""
        if self._configuration.method == "get":
            return {"params": _flat(question)}
        if len(question.payload.get("entities", ())) > _LARGE:
            return {"content": await asyncio.to_thread(msgspec.json.encode, question)}
        return {"content": msgspec.json.encode(question)}

    async def _answer(self, number: int, url: str, request: Mapping[str, Any]) -> tuple[int, str]:
        """Status and text of the answer.

        Raises:
            CalloutFailed: there is no answer.
        """
        import httpx

        try:
            async with asyncio.timeout(self._configuration.seconds):
                return await self._exchange(url, request)
        except (TimeoutError, httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError) as error:
            # Without the URL: it may contain a password.
            _log.warning("a callout did not answer", extra={"callout": number, "error": type(error).__name__})
            raise CalloutFailed(f"callout {number}: {type(error).__name__}") from error

    async def _exchange(self, url: str, request: Mapping[str, Any]) -> tuple[int, str]:
        """Send the request, and read no more of the answer than is passed on."""
        body = b""
        trace = dict(outgoing())
        async with self._http.stream(self._configuration.method.upper(), url, headers=trace, **request) as response:
            async for part in response.aiter_raw():
                body += part
                if len(body) > _BODY_BYTES:
                    break
        return response.status_code, body.decode("utf-8", "replace").strip()[:_MESSAGE_CHARACTERS]


def _flat(question: Question) -> dict[str, str]:
    """A question as a query: the fields of the payload next to the others, and composite values as JSON."""
    fields = msgspec.structs.asdict(question)
    payload = fields.pop("payload")
    return {key: _text(value) for key, value in (fields | payload).items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
