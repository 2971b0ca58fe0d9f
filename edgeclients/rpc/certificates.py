"""What the gRPC server shows and demands, as it is at each handshake."""

from collections.abc import Callable

import grpc

from edgeclients.ops.tls import Tls


def credentials(current: Callable[[], Tls]) -> grpc.ServerCredentials:
    """Credentials of one listener that take from `current` what the next handshake needs.

    Whether callers have to show certificates stays as it is now.
    """
    given = current()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        newest = current()
        if newest is given:
            return None  # anything else has gRPC parse it again
        given = newest
        return _configuration(newest)

    return grpc.dynamic_ssl_server_credentials(_configuration(given), changed, given.client_ca is not None)


def _configuration(tls: Tls) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(tls.key, tls.certificate)], tls.client_ca)
