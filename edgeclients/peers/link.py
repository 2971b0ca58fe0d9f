"""One gRPC service that is asked: TLS, a deadline, a second try, a bound on what is under way, a circuit (contract 11.3)."""

import asyncio
import logging
import math
import random
import ssl
from typing import NamedTuple, TypeVar

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
from edgeclients.peers.circuit import Circuit
from edgeclients.settings import Settings
from edgeclients.traces import outgoing, part

T = TypeVar("T", bound=Message)

_log = logging.getLogger(__name__)

_AT_A_TIME = 64
_WAITING = 1024
_JITTER = (0.01, 0.1)  # seconds before the second try: where a service was restarted, not everybody comes back at once
_MESSAGE_BYTES = 1024 * 1024  # contract 5

# Contract 6. Anything else is told as a service that is away.
_TOLD: dict[grpc.StatusCode, type[DomainError]] = {
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.INVALID_ARGUMENT: MalformedRequest,
    grpc.StatusCode.FAILED_PRECONDITION: MalformedRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: IdTaken,
}
# Other failures come from a service that is there; a call that provokes them must not shut out the others.
_AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

_OPTIONS = (
    ("grpc.enable_retries", 0),  # tried twice here
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),  # a new channel is a new connection
    # Nothing of ours takes a way that the environment names: neither http_proxy's nor GRPC_ADDRESS_HTTP_PROXY's.
    ("grpc.enable_http_proxy", 0),
    ("grpc.address_http_proxy_enabled_addresses", ""),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
)


class ServiceAddress(NamedTuple):
    """Where a service is and how it is spoken to, as the settings `<prefix>_URL`, `_TIMEOUT`, … say; "" where they do not."""

    prefix: str
    url: str
    timeout: float
    server_ca: str = ""
    client_cert: str = ""
    client_key: str = ""

    @property
    def named(self) -> dict[str, str]:
        """What the settings say of certificates and keys."""
        parts = {"SERVER_CA_CERTS": self.server_ca, "CLIENT_CERT": self.client_cert, "CLIENT_KEY": self.client_key}
        return {f"{self.prefix}_{part}": text for part, text in parts.items()}


def address_of(settings: Settings, peer: str) -> ServiceAddress:
    """Where one of `settings.PEERS` is."""
    values = (getattr(settings, f"{peer}_grpc_{part}") for part in ("url", "timeout", "server_ca", "client_cert", "client_key"))
    return ServiceAddress(f"MG_{peer.upper()}_GRPC", *values)


class Link:
    """Calls of one service. To be made in the event loop that uses it.

    Args:
        address: of the service.
        circuit: whether it is worth asking.

    Raises:
        StartError: a certificate or key cannot be used.
    """

    def __init__(self, address: ServiceAddress, circuit: Circuit | None = None) -> None:
        self.address = address
        self._credentials = self.credentials()
        self._circuit = circuit or Circuit()
        self._slots = asyncio.Semaphore(_AT_A_TIME)
        self._waiting = 0
        self._channel = self._connect()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether the service counts as away."""
        return self._circuit.is_open

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Certificate, key and whom to trust, as they are now; None for a service that is spoken to without TLS.

        Raises:
            StartError: one of them cannot be used.
        """
        return _credentials(self.address)

    def use(self, credentials: grpc.ChannelCredentials | None) -> None:
        """Connect anew with these; calls that have begun are finished where they are."""
        self._credentials = credentials
        self._replace_channel()

    async def call(self, method: str, request: Message, answer: type[T]) -> T:
        """What the service answers to `request`, as a part of the caller's trace.

        Args:
            method: the full path of a unary method.
            request: its message.
            answer: what it answers with.

        Raises:
            Unauthenticated, Forbidden, MalformedRequest, NotFound, IdTaken: it said so.
            Unavailable: it is away, answers too late, or with anything else.
        """
        with part(method[1:], {"rpc.system": "grpc"}):
            return await self._call(method, request, answer)

    async def _call(self, method: str, request: Message, answer: type[T]) -> T:
        wait = self._circuit.wait()
        if wait > 0:
            raise Unavailable(f"{self.address.prefix}: left alone", retry_after=math.ceil(wait))
        if self._waiting >= _WAITING:
            raise Unavailable(f"{self.address.prefix}: too many calls wait", retry_after=1)
        deadline = asyncio.get_running_loop().time() + self.address.timeout
        trial = self._circuit.begin()
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                reply = await self._twice(method, request.SerializeToString(), answer, deadline)
        except grpc.aio.AioRpcError as error:
            raise self._noted(method, error, trial=trial) from error
        except TimeoutError as error:
            self._fail(trial=trial)
            raise self._away(method, "no answer in time") from error
        except BaseException:
            self._circuit.gave_up(trial=trial)
            raise
        finally:
            self._waiting -= 1
        self._circuit.succeeded(trial=trial)
        return reply

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _twice(self, method: str, request: bytes, answer: type[T], deadline: float) -> T:
        """The answer of the first try, or where nobody was there, of the second."""
        try:
            return await self._once(method, request, answer, deadline)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            pause = random.uniform(*_JITTER)  # noqa: S311 - nobody gains by guessing it
            if asyncio.get_running_loop().time() + pause >= deadline:
                raise
        await asyncio.sleep(pause)
        return await self._once(method, request, answer, deadline)

    async def _once(self, method: str, request: bytes, answer: type[T], deadline: float) -> T:
        call = self._channel.unary_unary(method, response_deserializer=answer.FromString)
        left = deadline - asyncio.get_running_loop().time()
        reply: T = await call(request, timeout=max(left, 0.001), metadata=outgoing())
        return reply

    def _noted(self, method: str, error: grpc.aio.AioRpcError, *, trial: bool) -> DomainError:
        """What a caller is told of `error`, which the circuit has heard of."""
        code = error.code()
        if code in _AWAY:
            self._fail(trial=trial)
        else:
            self._circuit.succeeded(trial=trial)
        told = _TOLD.get(code)
        return told(f"{method}: {code.name}") if told else self._away(method, code.name)

    def _away(self, method: str, reason: str) -> Unavailable:
        _log.warning("a service did not answer", extra={"method": method, "reason": reason, "address": self.address.url})
        return Unavailable(f"{method}: {reason}", retry_after=max(1, math.ceil(self._circuit.wait())))

    def _fail(self, *, trial: bool) -> None:
        if self._circuit.failed(trial=trial):
            # The connection may be one that nobody is at the other end of.
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
    """None speaks without TLS: that is what no authority means (contract 11.3).

    Raises:
        StartError: gRPC itself would only say, later, that nobody can be reached.
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
