"""Addresses of servers, as they stand in settings."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

_GRPC = re.compile(r"(dns:/{0,3})?[^\s/:]+:\d{1,5}|(ipv6:)?\[[0-9A-Fa-f:.%]+\]:\d{1,5}|ipv4:[\d.]+:\d{1,5}|unix:\S+")
_NAME = re.compile(r"[^\s/\\\[\]@?#]+")
_LAST_PORT = 65_535
_REDIS_OPTIONS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}


def authority(host: str, port: int) -> str:
    """`host:port` as URLs have it: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def redis_url(text: str) -> str:
    """The URL of a Redis server, from that or `host:port`.

    Raises:
        ValueError: "`text` is not …"; nothing of it is repeated, a password may be in it.
    """
    url = text if "://" in text else f"redis://{text}"
    wanted = "a Redis server as host:port, redis://… or rediss://…"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(wanted) from None  # it repeats what it does not like
    if parts.scheme in {"amqp", "amqps"}:
        raise ValueError(f"usable here, AMQP is not spoken: set {wanted}")
    try:
        known = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(wanted) from error
    if not known or re.search(r"\s", parts.hostname or "") or not re.fullmatch(r"(/\d*)?", parts.path) or parts.fragment:
        raise ValueError(wanted)
    if not set(parse_qs(parts.query, keep_blank_values=True)) <= _REDIS_OPTIONS:
        raise ValueError(f"{wanted}, with nothing behind `?` but {', '.join(sorted(_REDIS_OPTIONS))}")
    return url


def redis_files(url: str) -> dict[str, str] | None:
    """The paths that the URL of a Redis server names for TLS, by option; None where it is spoken to in clear."""
    parts = urlsplit(url)
    return dict(parse_qsl(parts.query)) if parts.scheme == "rediss" else None


class PostgresPlace(NamedTuple):
    """A PostgreSQL database as its address names it; None where it does not say."""

    host: str | None
    port: int | None
    user: str | None
    name: str | None


def postgres_place(text: str) -> PostgresPlace:
    """What the address of a database says.

    Raises:
        ValueError: "`text` is not …"; nothing of it is repeated, a password may be in it.
    """
    wanted = "a database as postgres://USER@HOST:PORT/DATABASE"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(wanted) from error
    name = unquote(parts.path.removeprefix("/"))
    if parts.scheme not in {"postgres", "postgresql"} or "/" in name or port == 0 or not unquote(text).isprintable():
        raise ValueError(wanted)
    if parts.password is not None:
        raise ValueError(f"{wanted}, others would see the password: set MG_CLIENTS_DB_PASS")
    if parts.query or parts.fragment:
        raise ValueError(f"{wanted}, with nothing behind it: set MG_CLIENTS_DB_SSL_MODE and the others")
    return PostgresPlace(unquote(parts.hostname or "") or None, port, unquote(parts.username or "") or None, name or None)


def is_host(text: str) -> bool:
    """Whether `text` is a name or an address, and nothing more."""
    if ":" not in text:
        return bool(_NAME.fullmatch(text))
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def is_grpc(text: str) -> bool:
    """Whether `text` is `host:port`, or the path of a socket as `unix:…`."""
    if not _GRPC.fullmatch(text):
        return False
    return text.startswith("unix:") or 0 < int(text.rpartition(":")[2]) <= _LAST_PORT


def is_http(text: str) -> bool:
    """Whether `text` is an address as http://… or https://…."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return known and not re.search(r"\s", text)
    except ValueError:
        return False
