"""When the certificates in the settings end."""

import time
from collections.abc import Iterator
from datetime import UTC

from edgeclients import pem
from edgeclients.addresses import redis_files
from edgeclients.errors import StartError
from edgeclients.ops import tls
from edgeclients.ops.validity import ends
from edgeclients.settings import Settings, fields
from edgeclients.wiring.doctor.check import Check, Status

_NAME = "certificates"
_SOON_DAYS = 30
_DAY = 86_400
_UNUSED = "MG_CLIENTS_GRPC_SERVER_CA_CERTS"
_OWN = ("_CERT", "ssl_certfile")
_AUTHORITIES = ("_CA_CERT", "_CA_CERTS", "_ROOT_CERT", "ssl_ca_certs")
_RENEW = "renew it"


def examine(settings: Settings) -> Check:
    """The worst of all certificates; the first to end, if all are well."""
    try:
        _load_pairs(settings)
    except StartError as error:
        return Check.failed(_NAME, error)
    found = [_examined(variable, text) for variable, text in _named(settings)]
    if not found:
        return Check.ok(_NAME, "none is set")
    worst = max(found, key=lambda check: check.status.severity)
    return worst if worst.status is not Status.OK else Check.ok(_NAME, min(check.message for check in found))


def _load_pairs(settings: Settings) -> None:
    """Return if the servers can use their certificates and keys.

    Raises:
        StartError: one cannot.
    """
    if settings.http_cert:
        tls.load(settings.http_cert, settings.http_key, "", "MG_CLIENTS_HTTP")
    if settings.grpc_cert:
        tls.load(settings.grpc_cert, settings.grpc_key, settings.grpc_client_ca, "MG_CLIENTS_GRPC")


def _named(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each variable with certificates, and its value: a path or PEM."""
    for field in fields():
        name, text = field.variable.name, getattr(settings, field.attribute)
        if name.endswith((*_OWN, *_AUTHORITIES)) and text and name != _UNUSED:
            yield name, text
    for url in (settings.event_stream, settings.cache_address):
        for option, path in (redis_files(url) or {}).items():
            if option.endswith((*_OWN, *_AUTHORITIES)):
                yield option, path


def _examined(variable: str, text: str) -> Check:
    try:
        moments = ends(pem.read(text, variable))
    except StartError as error:
        return Check.failed(_NAME, error)
    if not moments:
        return Check.broken(_NAME, f"{variable} holds no certificate", "name a file with one, in PEM")
    # One that is out of use may stay among authorities; in a chain of one's own, each counts.
    end = max(moments) if variable.endswith(_AUTHORITIES) else min(moments)
    left = end.timestamp() - time.time()
    message = f"{end.astimezone(UTC):%Y-%m-%d %H:%M} UTC is the end of {variable}"
    if left < 0:
        return Check.broken(_NAME, message, _RENEW)
    if left < _SOON_DAYS * _DAY:
        return Check.warning(_NAME, message, _RENEW)
    return Check.ok(_NAME, message)
