"""Certificates of the gRPC server, read at each handshake."""

from collections.abc import Callable

import grpc

from edgeclients.ops.tls import Tls


def credentials(current: Callable[[], Tls]) -> grpc.ServerCredentials:
    """Credentials of one listener, which call `current` at each handshake.

    The first result decides whether callers must present certificates.
    """
    loaded = current()

    def reload_if_changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal loaded
        latest = current()
        if latest is loaded:
            return None  # gRPC parses any other result again
        loaded = latest
        return _configuration(latest)

    return grpc.dynamic_ssl_server_credentials(_configuration(loaded), reload_if_changed, loaded.client_ca is not None)


def _configuration(tls: Tls) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(tls.key, tls.certificate)], tls.client_ca)
