"""Calls one gRPC service: TLS, deadline, one retry, limited concurrency, circuit breaker (schema/README.md#services-asked)."""

import asyncio
import logging
import math
import random
import ssl
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from edgeclients import grpc_tls, pem
from edgeclients.errors import (
    DomainError,
    Forbidden,
    IdTaken,
    MalformedRequest,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from edgeclients.grpc_tls import Pem
from edgeclients.peers.addresses import ServiceAddress
from edgeclients.peers.circuit import Circuit
from edgeclients.traces import outgoing, part

T = TypeVar("T", bound=Message)

_log = logging.getLogger(__name__)

_CONCURRENCY = 64
_WAITING = 1024
_JITTER = (0.01, 0.1)  # seconds before the retry: the callers of a restarted service do not come back all at once
_MESSAGE_BYTES = 1024 * 1024  # schema/README.md#grpc-limits

# schema/README.md#services-asked. Any other status counts as an unavailable service.
_ERRORS: dict[grpc.StatusCode, type[DomainError]] = {
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.INVALID_ARGUMENT: MalformedRequest,
    grpc.StatusCode.FAILED_PRECONDITION: MalformedRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: IdTaken,
}
# Other failures come from an available service: a call that provokes them must not block the others.
_UNAVAILABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

_OPTIONS = (
    ("grpc.enable_retries", 0),  # retried here
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel makes a new connection
    # Proxies from the environment are not used: neither http_proxy nor GRPC_ADDRESS_HTTP_PROXY.
    ("grpc.enable_http_proxy", 0),
    ("grpc.address_http_proxy_enabled_addresses", ""),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
)


class Link:
    """Calls one service. To be created in the event loop that uses it.

    Args:
        address: the address of the service.
        circuit: decides whether it is called.

    Raises:
        StartError: a certificate or key cannot be used.
    """

    def __init__(self, address: ServiceAddress, circuit: Circuit | None = None) -> None:
        self.address = address
        self._credentials = self.credentials()
        self._circuit = circuit or Circuit()
        self._slots = asyncio.Semaphore(_CONCURRENCY)
        self._waiting = 0
        self._channel = self._connect()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether the service counts as unavailable."""
        return self._circuit.is_open

    def credentials(self) -> grpc.ChannelCredentials | None:
        """The current certificate, key and CA certificates; None for a service without TLS.

        Raises:
            StartError: one of them cannot be used.
        """
        return _credentials(self.address)

    def use(self, credentials: grpc.ChannelCredentials | None) -> None:
        """Reconnect with these; calls in progress are completed on the old connection."""
        self._credentials = credentials
        self._replace_channel()

    async def call(self, method: str, request: Message, answer: type[T]) -> T:
        """The service's answer to `request`, as a part of the caller's trace.

        Args:
            method: the full path of a unary method.
            request: its message.
            answer: the message type of the answer.

        Raises:
            Unauthenticated, Forbidden, MalformedRequest, NotFound, IdTaken: the service returned this error.
            Unavailable: the service is unavailable, too slow, or returned any other error.
        """
        with part(method[1:], {"rpc.system": "grpc"}):
            return await self._call(method, request, answer)

    async def _call(self, method: str, request: Message, answer: type[T]) -> T:
        wait = self._circuit.wait()
        if wait > 0:
            raise Unavailable(f"{self.address.prefix}: circuit is open", retry_after=math.ceil(wait))
        if self._waiting >= _WAITING:
            raise Unavailable(f"{self.address.prefix}: too many calls wait", retry_after=1)
        deadline = asyncio.get_running_loop().time() + self.address.timeout
        trial = self._circuit.begin()
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                reply = await self._call_with_retry(method, request.SerializeToString(), answer, deadline)
        except grpc.aio.AioRpcError as error:
            raise self._record(method, error, trial=trial) from error
        except TimeoutError as error:
            self._fail(trial=trial)
            raise self._unavailable(method, "no answer in time") from error
        except BaseException:
            self._circuit.gave_up(trial=trial)
            raise
        finally:
            self._waiting -= 1
        self._circuit.succeeded(trial=trial)
        return reply

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _call_with_retry(self, method: str, request: bytes, answer: type[T], deadline: float) -> T:
        """The answer of the first call, or of the second if the service was unavailable."""
        try:
            return await self._call_once(method, request, answer, deadline)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            pause = random.uniform(*_JITTER)  # noqa: S311 - guessing it gains nothing
            if asyncio.get_running_loop().time() + pause >= deadline:
                raise
        await asyncio.sleep(pause)
        return await self._call_once(method, request, answer, deadline)

    async def _call_once(self, method: str, request: bytes, answer: type[T], deadline: float) -> T:
        call = self._channel.unary_unary(method, response_deserializer=answer.FromString)
        left = deadline - asyncio.get_running_loop().time()
        reply: T = await call(request, timeout=max(left, 0.001), metadata=outgoing())
        return reply

    def _record(self, method: str, error: grpc.aio.AioRpcError, *, trial: bool) -> DomainError:
        """The error for the caller; records the failure in the circuit."""
        code = error.code()
        if code in _UNAVAILABLE:
            self._fail(trial=trial)
        else:
            self._circuit.succeeded(trial=trial)
        known = _ERRORS.get(code)
        return known(f"{method}: {code.name}") if known else self._unavailable(method, code.name)

    def _unavailable(self, method: str, reason: str) -> Unavailable:
        _log.warning("a service did not answer", extra={"method": method, "reason": reason, "address": self.address.url})
        return Unavailable(f"{method}: {reason}", retry_after=max(1, math.ceil(self._circuit.wait())))

    def _fail(self, *, trial: bool) -> None:
        if self._circuit.failed(trial=trial):
            # The connection may be half-open.
            self._replace_channel()

    def _replace_channel(self) -> None:
        old, self._channel = self._channel, self._connect()
        closing = asyncio.ensure_future(old.close(self.address.timeout))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _connect(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.address.url, _OPTIONS)
        return grpc.aio.secure_channel(self.address.url, self._credentials, _OPTIONS)


def _credentials(address: ServiceAddress) -> grpc.ChannelCredentials | None:
    """The credentials; None without TLS, which is the meaning of no CA certificate (schema/README.md#services-asked).

    Raises:
        StartError: they cannot be used; gRPC itself would only report later that the service cannot be reached.
    """
    if not address.server_ca:
        return None
    authority = pem.read(address.server_ca, f"{address.prefix}_SERVER_CA_CERTS")
    certificate = key = None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=pem.authorities(authority))
        if address.client_cert:
            certificate = pem.read(address.client_cert, f"{address.prefix}_CLIENT_CERT")
            key = pem.read(address.client_key, f"{address.prefix}_CLIENT_KEY")
            pem.load_pair(context, certificate, key)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise pem.unusable(f"{address.prefix}_SERVER_CA_CERTS, _CLIENT_CERT or _CLIENT_KEY", error) from error
    grpc_tls.check(
        Pem(f"{address.prefix}_CLIENT_CERT", certificate) if certificate else None,
        Pem(f"{address.prefix}_CLIENT_KEY", key) if key else None,
        Pem(f"{address.prefix}_SERVER_CA_CERTS", authority),
    )
    return grpc.ssl_channel_credentials(authority, key, certificate)
