"""Conflicts between settings that are valid on their own."""

from collections.abc import Iterator

from edgeclients.addresses import is_grpc, is_host, is_http
from edgeclients.model import is_domain
from edgeclients.settings.tokens import check_token
from edgeclients.settings.variables import PEERS, Settings, fields

_NAMES = {field.attribute: field.variable.name for field in fields()}

_PAIRS = (
    ("http_cert", "http_key"),
    ("grpc_cert", "grpc_key"),
    ("db_ssl_cert", "db_ssl_key"),
    ("callout_cert", "callout_key"),
    *((f"{peer}_grpc_client_cert", f"{peer}_grpc_client_key") for peer in PEERS),
)
"""The attributes of each certificate and its private key."""

_EVERY_IPV4, _EVERY_ADDRESS = "0.0.0.0", "::"  # noqa: S104 - compared with settings, not bound
_LOCALHOST = {"localhost": {"localhost", "127.0.0.1", "::1"}}


def conflicts_in(loaded: Settings) -> Iterator[str]:
    """The conflicts between settings, one line each."""
    yield from _operator(loaded)
    yield from _pairs(loaded)
    yield from _tls(loaded)
    yield from _addresses(loaded)
    yield from _ports(loaded)
    yield from _grpc_socket(loaded)
    yield from _workers(loaded)


def _operator(loaded: Settings) -> Iterator[str]:
    """Conflicts in the operator's id, token and domains."""
    operator, token = loaded.standalone_id, loaded.standalone_token or loaded.standalone_token_file
    if loaded.standalone_token and loaded.standalone_token_file:
        yield "MG_CLIENTS_STANDALONE_TOKEN and MG_CLIENTS_STANDALONE_TOKEN_FILE exclude each other: unset one of them"
    if operator and not token:
        yield "MG_CLIENTS_STANDALONE_TOKEN (or _TOKEN_FILE) is missing: set both id and token, or neither to generate them"
    if token and not operator:
        yield "MG_CLIENTS_STANDALONE_ID is missing: set both id and token, or neither to generate them"
    if loaded.standalone_token:
        try:
            check_token(loaded.standalone_token)
        except ValueError as error:
            yield f"MG_CLIENTS_STANDALONE_TOKEN cannot be used because {error}"
    for domain in loaded.standalone_domains:
        if not is_domain(domain):
            yield (
                f"MG_CLIENTS_STANDALONE_DOMAINS: {domain[:80]!r} is not a domain id: "
                "a domain id has 1 to 36 letters, digits, `.`, `_` and `-`"
            )
    if loaded.auth_grpc_url and (operator or token):
        yield "MG_AUTH_GRPC_URL and MG_CLIENTS_STANDALONE_ID, _TOKEN or _TOKEN_FILE exclude each other: unset one of them"


def _pairs(loaded: Settings) -> Iterator[str]:
    """Certificates without a private key, and the reverse."""
    for certificate, key in _PAIRS:
        given = bool(getattr(loaded, certificate))
        if given != bool(getattr(loaded, key)):
            yield f"{_NAMES[key if given else certificate]} is missing: a certificate and its private key must both be set"


def _tls(loaded: Settings) -> Iterator[str]:
    """Certificates without effect, because TLS is off."""
    for peer in PEERS:
        pair = getattr(loaded, f"{peer}_grpc_client_cert") and getattr(loaded, f"{peer}_grpc_client_key")
        if pair and not getattr(loaded, f"{peer}_grpc_server_ca"):
            prefix = f"MG_{peer.upper()}_GRPC"
            yield f"{prefix}_CLIENT_CERT needs TLS: set {prefix}_SERVER_CA_CERTS, which enables it"
    if loaded.db_ssl_mode == "disable" and (loaded.db_ssl_cert or loaded.db_ssl_root_cert):
        yield "MG_CLIENTS_DB_SSL_CERT and _ROOT_CERT need TLS: set MG_CLIENTS_DB_SSL_MODE, preferably to verify-full"
    if loaded.grpc_client_ca and not loaded.grpc_cert:
        yield "MG_CLIENTS_GRPC_CLIENT_CA_CERTS needs TLS: set MG_CLIENTS_GRPC_SERVER_CERT and MG_CLIENTS_GRPC_SERVER_KEY too"


def _addresses(loaded: Settings) -> Iterator[str]:
    """Malformed addresses of servers that the service connects to."""
    if not loaded.db_host.startswith(("/", "@")) and not is_host(loaded.db_host):
        yield f"{_NAMES['db_host']}: its value is not a host, address or directory: write it without brackets, scheme and port"
    if not all(map(is_http, loaded.callout_urls)):
        yield "MG_CLIENTS_CALLOUT_URLS: one of them is not a URL with http:// or https://"
    for attribute in ("auth_jwks_url", "jaeger_url", "callhome_url"):
        url = getattr(loaded, attribute)
        if url and not is_http(url):
            yield f"{_NAMES[attribute]}: its value is not a URL with http:// or https://"
    for peer in PEERS:
        url = getattr(loaded, f"{peer}_grpc_url")
        if url and not is_grpc(url):
            yield f"{_NAMES[f'{peer}_grpc_url']}: its value is not an address of the form host:port"
    events = "events_url" if loaded.events_url else "shared_events_url"
    for attribute, parsed in ((events, "event_stream"), ("cache_url", "cache_address")):
        try:
            getattr(loaded, parsed)
        except ValueError as error:
            yield f"{_NAMES[attribute]}: its value is not {error}"


def _ports(loaded: Settings) -> Iterator[str]:
    """Malformed or equal addresses that the service listens on."""
    for attribute in ("http_host", "grpc_host"):
        if not is_host(getattr(loaded, attribute)):
            yield f"{_NAMES[attribute]}: its value is not a host or address: write it without brackets, scheme and port"
    same = loaded.http_port and loaded.http_port == loaded.grpc_port
    if same and _overlap(loaded.http_host, loaded.grpc_host):
        yield "MG_CLIENTS_HTTP_PORT and MG_CLIENTS_GRPC_PORT are the same: set different ports"


def _grpc_socket(loaded: Settings) -> Iterator[str]:
    """A Unix socket that cannot be served."""
    if loaded.grpc_socket is None:
        return
    if loaded.grpc_server != "lane":
        yield "MG_CLIENTS_GRPC_SOCKET needs MG_CLIENTS_GRPC_SERVER=lane"
    if loaded.workers > 1:
        yield "MG_CLIENTS_GRPC_SOCKET is for one process: set MG_CLIENTS_WORKERS to 1"


def _overlap(one: str, other: str) -> bool:
    """Whether two hosts certainly have an address in common."""
    common = _LOCALHOST.get(one, {one}) & _LOCALHOST.get(other, {other})
    return bool(common) or any(_includes(*pair) for pair in ((one, other), (other, one)))


def _includes(wildcard: str, other: str) -> bool:
    """Whether `wildcard` is a wildcard address that includes `other`."""
    is_ipv4 = other in _LOCALHOST or other.replace(".", "").isdigit()
    return wildcard == _EVERY_ADDRESS or (wildcard == _EVERY_IPV4 and is_ipv4)


def _workers(loaded: Settings) -> Iterator[str]:
    """Settings that several worker processes cannot share."""
    if loaded.workers == 1:
        return
    if loaded.mode != "cloud":
        yield "MG_CLIENTS_WORKERS: only one process can use a SQLite directory: unset it, or set MG_CLIENTS_MODE to cloud"
    elif loaded.authenticator == "standalone" and not loaded.standalone_id:
        yield "MG_CLIENTS_WORKERS: the workers need the same operator: set MG_CLIENTS_STANDALONE_ID and _TOKEN"
