"""Addresses of the services that are called, from the settings."""

from typing import NamedTuple

from edgeclients.settings import Settings


class ServiceAddress(NamedTuple):
    """The address of a service and its TLS files, from the settings `<prefix>_URL`, `_TIMEOUT`, …; "" where not set."""

    prefix: str
    url: str
    timeout: float
    server_ca: str = ""
    client_cert: str = ""
    client_key: str = ""

    @property
    def named(self) -> dict[str, str]:
        """The settings of certificates and keys, by name."""
        parts = {"SERVER_CA_CERTS": self.server_ca, "CLIENT_CERT": self.client_cert, "CLIENT_KEY": self.client_key}
        return {f"{self.prefix}_{part}": text for part, text in parts.items()}


def address_of(settings: Settings, peer: str) -> ServiceAddress:
    """The address of one of `settings.PEERS`."""
    values = (getattr(settings, f"{peer}_grpc_{part}") for part in ("url", "timeout", "server_ca", "client_cert", "client_key"))
    return ServiceAddress(f"MG_{peer.upper()}_GRPC", *values)
