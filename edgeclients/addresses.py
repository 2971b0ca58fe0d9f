"""Server addresses in settings."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

_GRPC = re.compile(r"(dns:/{0,3})?[^\s/:]+:\d{1,5}|(ipv6:)?\[[0-9A-Fa-f:.%]+\]:\d{1,5}|ipv4:[\d.]+:\d{1,5}|unix:\S+")
_NAME = re.compile(r"[^\s/\\\[\]@?#]+")
_LAST_PORT = 65_535
_REDIS_OPTIONS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}


def authority(host: str, port: int) -> str:
    """`host:port` in URL form: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def redis_url(text: str) -> str:
    """The URL of a Redis server, from a URL or `host:port`.

    Raises:
        ValueError: "`text` is not …". It repeats nothing of `text`, which may contain a password.
    """
    url = text if "://" in text else f"redis://{text}"
    wanted = "a Redis server as host:port, redis://… or rediss://…"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(wanted) from None  # the original error repeats the text
    if parts.scheme in {"amqp", "amqps"}:
        raise ValueError(f"supported (AMQP): set {wanted}")
    try:
        known = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(wanted) from error
    if not known or re.search(r"\s", parts.hostname or "") or not re.fullmatch(r"(/\d*)?", parts.path) or parts.fragment:
        raise ValueError(wanted)
    if not set(parse_qs(parts.query, keep_blank_values=True)) <= _REDIS_OPTIONS:
        raise ValueError(f"{wanted}, without parameters except {', '.join(sorted(_REDIS_OPTIONS))}")
    return url


def redis_files(url: str) -> dict[str, str] | None:
    """The TLS file paths in the URL of a Redis server, by option; None without TLS."""
    parts = urlsplit(url)
    return dict(parse_qsl(parts.query)) if parts.scheme == "rediss" else None


class PostgresPlace(NamedTuple):
    """A PostgreSQL database; None for each part that its address omits."""

    host: str | None
    port: int | None
    user: str | None
    name: str | None


def postgres_place(text: str) -> PostgresPlace:
    """The parts of a database address.

    Raises:
        ValueError: "`text` is not …". It repeats nothing of `text`, which may contain a password.
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
        raise ValueError(f"{wanted}, without parameters: set MG_CLIENTS_DB_SSL_MODE and the others")
    return PostgresPlace(unquote(parts.hostname or "") or None, port, unquote(parts.username or "") or None, name or None)


def is_host(text: str) -> bool:
    """Whether `text` is a host name or an IP address."""
    if ":" not in text:
        return bool(_NAME.fullmatch(text))
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def is_grpc(text: str) -> bool:
    """Whether `text` is `host:port`, or a socket's path as `unix:…`."""
    if not _GRPC.fullmatch(text):
        return False
    return text.startswith("unix:") or 0 < int(text.rpartition(":")[2]) <= _LAST_PORT


def is_http(text: str) -> bool:
    """Whether `text` is a URL with http:// or https://."""
    try:
        parts = urlsplit(text)
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        return known and not re.search(r"\s", text)
    except ValueError:
        return False
