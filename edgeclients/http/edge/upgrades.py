"""Upgrades that nobody here speaks: ignored, as RFC 9110 7.8 has it, and the request is served as if it had asked for none."""

from collections.abc import Iterable

Headers = Iterable[tuple[bytes, bytes]]

_ONLY_FOR_UPGRADES = {b"upgrade", b"http2-settings"}


def may_be_ignored(method: bytes, headers: Headers) -> bool:
    """Whether it is certain what follows the head of a request that asks for an upgrade: its body, then another request.

    It is not behind `CONNECT`, nor where a body belongs to what asks for HTTP/2 without exactly one `HTTP2-Settings`
    (RFC 7540 3.2.1): some take such a body for the new protocol, others for a body.

    Args:
        method: of the request.
        headers: names in lower case, and values.
    """
    if method == b"CONNECT":
        return False
    kept = list(headers)
    if not _has_body(kept):
        return True
    wanted = {one.strip().lower() for name, value in kept if name == b"upgrade" for one in value.split(b",")}
    return b"h2c" not in wanted or sum(name == b"http2-settings" for name, _ in kept) == 1


def head_without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """The head of a request that asks for an upgrade, as it would be if it did not."""
    kept = [name + b": " + value for name, value in headers if name not in _ONLY_FOR_UPGRADES]
    return b"\r\n".join([b"%b %b HTTP/%b" % (method, url, version.encode()), *kept, b"", b""])


def _has_body(headers: Headers) -> bool:
    return any((name == b"content-length" and value.strip() != b"0") or name == b"transfer-encoding" for name, value in headers)
