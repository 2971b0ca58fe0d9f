"""What settings that are right by themselves can have against each other."""

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
"""Certificates and their keys, by attribute."""

_EVERY_IPV4, _EVERY_ADDRESS = "0.0.0.0", "::"  # noqa: S104 - what the settings may say
_LOCALHOST = {"localhost": {"localhost", "127.0.0.1", "::1"}}


def conflicts_in(loaded: Settings) -> Iterator[str]:
    """What is wrong between settings that are right by themselves, a line each."""
    yield from _operator(loaded)
    yield from _pairs(loaded)
    yield from _tls(loaded)
    yield from _addresses(loaded)
    yield from _ports(loaded)
    yield from _workers(loaded)


def _operator(loaded: Settings) -> Iterator[str]:
    """What is wrong with who the operator is."""
    named, token = loaded.standalone_id, loaded.standalone_token or loaded.standalone_token_file
    if loaded.standalone_token and loaded.standalone_token_file:
        yield "MG_CLIENTS_STANDALONE_TOKEN and MG_CLIENTS_STANDALONE_TOKEN_FILE exclude each other: unset one of them"
    if named and not token:
        yield "MG_CLIENTS_STANDALONE_TOKEN (or _TOKEN_FILE) is missing: set both of the pair, or neither to have them made"
    if token and not named:
        yield "MG_CLIENTS_STANDALONE_ID is missing: set both of the pair, or neither to have them made"
    if loaded.standalone_token:
        try:
            check_token(loaded.standalone_token)
        except ValueError as error:
            yield f"MG_CLIENTS_STANDALONE_TOKEN cannot be used, {error}"
    for domain in loaded.standalone_domains:
        if not is_domain(domain):
            yield (
                f"MG_CLIENTS_STANDALONE_DOMAINS: {domain[:80]!r} is no domain id: "
                "that is 1 to 36 letters, digits and `.`, `_`, `-`"
            )
    if loaded.auth_grpc_url and (named or token):
        yield "MG_AUTH_GRPC_URL and MG_CLIENTS_STANDALONE_ID, _TOKEN or _TOKEN_FILE exclude each other: unset one of them"


def _pairs(loaded: Settings) -> Iterator[str]:
    """Certificates without their key, and keys without their certificate."""
    for certificate, key in _PAIRS:
        given = bool(getattr(loaded, certificate))
        if given != bool(getattr(loaded, key)):
            yield f"{_NAMES[key if given else certificate]} is missing: a certificate goes with its key"


def _tls(loaded: Settings) -> Iterator[str]:
    """Certificates that would have no effect."""
    for peer in PEERS:
        pair = getattr(loaded, f"{peer}_grpc_client_cert") and getattr(loaded, f"{peer}_grpc_client_key")
        if pair and not getattr(loaded, f"{peer}_grpc_server_ca"):
            prefix = f"MG_{peer.upper()}_GRPC"
            yield f"{prefix}_CLIENT_CERT is for TLS: set {prefix}_SERVER_CA_CERTS, without which there is none"
    if loaded.db_ssl_mode == "disable" and (loaded.db_ssl_cert or loaded.db_ssl_root_cert):
        yield "MG_CLIENTS_DB_SSL_CERT and _ROOT_CERT are for TLS: set MG_CLIENTS_DB_SSL_MODE, best to verify-full"
    if loaded.grpc_client_ca and not loaded.grpc_cert:
        yield "MG_CLIENTS_GRPC_CLIENT_CA_CERTS needs MG_CLIENTS_GRPC_SERVER_CERT and MG_CLIENTS_GRPC_SERVER_KEY too"


def _addresses(loaded: Settings) -> Iterator[str]:
    """What is wrong with whom it is to speak to."""
    if not loaded.db_host.startswith(("/", "@")) and not is_host(loaded.db_host):
        yield f"{_NAMES['db_host']}: its value is no name, address or folder: write it without brackets, scheme and port"
    if not all(map(is_http, loaded.callout_urls)):
        yield "MG_CLIENTS_CALLOUT_URLS: one of them is no address as http://… or https://…"
    for attribute in ("auth_jwks_url", "jaeger_url", "callhome_url"):
        url = getattr(loaded, attribute)
        if url and not is_http(url):
            yield f"{_NAMES[attribute]}: its value is no address as http://… or https://…"
    for peer in PEERS:
        url = getattr(loaded, f"{peer}_grpc_url")
        if url and not is_grpc(url):
            yield f"{_NAMES[f'{peer}_grpc_url']}: its value is no address as host:port"
    events = "events_url" if loaded.events_url else "shared_events_url"
    for attribute, parsed in ((events, "event_stream"), ("cache_url", "cache_address")):
        try:
            getattr(loaded, parsed)
        except ValueError as error:
            yield f"{_NAMES[attribute]}: its value is not {error}"


def _ports(loaded: Settings) -> Iterator[str]:
    """What is wrong with where it listens."""
    for attribute in ("http_host", "grpc_host"):
        if not is_host(getattr(loaded, attribute)):
            yield f"{_NAMES[attribute]}: its value is no name or address: write it without brackets, scheme and port"
    same = loaded.http_port and loaded.http_port == loaded.grpc_port
    if same and _overlap(loaded.http_host, loaded.grpc_host):
        yield "MG_CLIENTS_HTTP_PORT and MG_CLIENTS_GRPC_PORT are the same: each needs one of its own"


def _overlap(one: str, other: str) -> bool:
    """Whether two hosts surely have an address in common."""
    here = _LOCALHOST.get(one, {one}) & _LOCALHOST.get(other, {other})
    return bool(here) or any(_holds(*pair) for pair in ((one, other), (other, one)))


def _holds(every: str, other: str) -> bool:
    return every == _EVERY_ADDRESS or (every == _EVERY_IPV4 and (other in _LOCALHOST or other.replace(".", "").isdigit()))


def _workers(loaded: Settings) -> Iterator[str]:
    """What several processes cannot share."""
    if loaded.workers == 1:
        return
    if loaded.mode != "cloud":
        yield "MG_CLIENTS_WORKERS: only one process can keep a SQLite directory: unset it, or set MG_CLIENTS_MODE to cloud"
    elif loaded.authenticator == "standalone" and not loaded.standalone_id:
        yield "MG_CLIENTS_WORKERS: who the operator is has to be told to all of them: set MG_CLIENTS_STANDALONE_ID and _TOKEN"
