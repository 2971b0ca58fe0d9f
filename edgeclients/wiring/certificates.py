"""Certificates and keys of servers and connections, reloaded on SIGHUP."""

import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from edgeclients import grpc_tls
from edgeclients.addresses import redis_files
from edgeclients.grpc_tls import Pem
from edgeclients.ops import tls
from edgeclients.ops.reload import Reloading
from edgeclients.settings import Settings

if TYPE_CHECKING:
    from edgeclients.peers.link import Link

Contexts = Callable[[], ssl.SSLContext]

_GRPC = "MG_CLIENTS_GRPC"


def http_server(reloading: Reloading, settings: Settings) -> Contexts | None:
    """The current TLS context of HTTP; None if HTTP is served without TLS.

    Raises:
        StartError: a certificate or key cannot be used; so do the functions below.
    """
    prefix = "MG_CLIENTS_HTTP"
    if not settings.http_cert:
        return None
    named = {f"{prefix}_SERVER_CERT": settings.http_cert, f"{prefix}_SERVER_KEY": settings.http_key}
    return reloading.keep(named, lambda: tls.context(tls.load(settings.http_cert, settings.http_key, "", prefix), prefix))


def grpc_server(reloading: Reloading, settings: Settings) -> Contexts | None:
    """The current TLS context of gRPC on `lane`; None if that does not serve, or without TLS."""
    if not settings.grpc_cert or settings.grpc_server != "lane":
        return None

    def load() -> ssl.SSLContext:
        loaded = _grpc_pem(settings)
        certificate, _, authorities = _named(loaded)
        grpc_tls.check_curves(certificate, authorities)
        return tls.for_http2(tls.context(loaded, _GRPC))

    return reloading.keep(_grpc_files(settings), load)


def grpcio_server(reloading: Reloading, settings: Settings) -> Callable[[], tls.Tls] | None:
    """The current certificates of gRPC on `grpcio`; None if that does not serve, or without TLS."""
    if not settings.grpc_cert or settings.grpc_server != "grpcio":
        return None

    def load() -> tls.Tls:
        loaded = _grpc_pem(settings)
        grpc_tls.check(*_named(loaded))
        return loaded

    return reloading.keep(_grpc_files(settings), load)


def _grpc_files(settings: Settings) -> dict[str, str]:
    return {
        f"{_GRPC}_SERVER_CERT": settings.grpc_cert,
        f"{_GRPC}_SERVER_KEY": settings.grpc_key,
        f"{_GRPC}_CLIENT_CA_CERTS": settings.grpc_client_ca,
    }


def _grpc_pem(settings: Settings) -> tls.Tls:
    return tls.load(settings.grpc_cert, settings.grpc_key, settings.grpc_client_ca, _GRPC)


def _named(loaded: tls.Tls) -> tuple[Pem, Pem, Pem | None]:
    return (
        Pem(f"{_GRPC}_SERVER_CERT", loaded.certificate),
        Pem(f"{_GRPC}_SERVER_KEY", loaded.key),
        Pem(f"{_GRPC}_CLIENT_CA_CERTS", loaded.client_ca) if loaded.client_ca is not None else None,
    )


def redis(reloading: Reloading, url: str, variable: str) -> Contexts | None:
    """The current TLS context for the Redis server at `url`, the value of `variable`; None for a server without TLS."""
    files = redis_files(url)
    if files is None:
        return None
    named = {f"{option} of {variable}": path for option, path in files.items()}
    return reloading.keep(named, lambda: tls.to_redis(files, variable))


def peers(reloading: Reloading, links: "Iterable[Link]") -> None:
    """Reconnect `links` with new certificates after each reload."""
    for link in links:
        if link.address.server_ca:
            reloading.add(link.address.named, link.credentials, link.use)
