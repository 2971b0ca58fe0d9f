"""HTTP upgrades. None is supported: the service ignores them and serves the request without (RFC 9110 7.8)."""

from collections.abc import Iterable

Headers = Iterable[tuple[bytes, bytes]]

_ONLY_FOR_UPGRADES = {b"upgrade", b"http2-settings"}


def may_be_ignored(method: bytes, headers: Headers) -> bool:
    """Whether the bytes after the head of an upgrade request are unambiguous: its body, then another request.

    They are ambiguous after `CONNECT`, and in a request for HTTP/2 with a body but not exactly one `HTTP2-Settings`
    (RFC 7540 3.2.1). Some implementations read such a body as the new protocol, others as a body.

    Args:
        method: of the request.
        headers: names in lower case, and values.
    """
    if method == b"CONNECT":
        return False
    fields = list(headers)
    if not _has_body(fields):
        return True
    protocols = {one.strip().lower() for name, value in fields if name == b"upgrade" for one in value.split(b",")}
    return b"h2c" not in protocols or sum(name == b"http2-settings" for name, _ in fields) == 1


def head_without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """The head of an upgrade request, without its upgrade headers."""
    remaining = [name + b": " + value for name, value in headers if name not in _ONLY_FOR_UPGRADES]
    return b"\r\n".join([b"%b %b HTTP/%b" % (method, url, version.encode()), *remaining, b"", b""])


def _has_body(headers: Headers) -> bool:
    return any((name == b"content-length" and value.strip() != b"0") or name == b"transfer-encoding" for name, value in headers)
