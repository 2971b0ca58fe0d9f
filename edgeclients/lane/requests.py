"""What the fields of a request say (RFC 9113, section 8; the specification of gRPC over HTTP/2)."""

import re
from typing import Final, NamedTuple

from edgeclients.lane.calls import Fields

_ENTRY_BYTES: Final = 32  # that an entry counts for, besides its name and value
_KEPT: Final = 128
_LARGEST_KEPT: Final = 4096
_PSEUDO: Final = {b":method", b":scheme", b":path", b":authority"}
_FORBIDDEN: Final = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
# Field names in lower case; values without NUL, CR, LF, or white space at either end (section 8.2.1).
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
_VALUE: Final = re.compile(rb"(?:[^\x00\r\n\t ](?:[^\x00\r\n]*[^\x00\r\n\t ])?)?").fullmatch
_TIMEOUT: Final = b"grpc-timeout"
_TIMEOUT_BYTES: Final = 9
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
# Fields whose values are the same in most calls, or say what a request is.
_COMPARED: Final = {
    *_PSEUDO,
    *(b"content-type", b"content-length", b"te", b"user-agent", b"grpc-encoding", b"grpc-accept-encoding", b"accept-encoding"),
}
_GRPC: Final = re.compile(rb"application/grpc(\+proto)?[ \t]*(;.*)?").fullmatch


class MalformedRequest(ValueError):  # noqa: N818 - RFC 9113's word
    """The fields break a rule: a stream error."""


class Request(NamedTuple):
    """The fields of a request.

    `timeout` is in seconds; None if there is none. `refusal` is the HTTP status for what is no call of gRPC, else 0. `size` is
    that of the list (section 6.5.2). `fault` is what gRPC cannot use of it.
    """

    path: bytes
    timeout: float | None
    encoding: bytes
    length: int | None
    refusal: int
    size: int
    fields: Fields
    fault: str = ""


class Requests:
    """Reads the fields of requests. What most calls have in common is checked once, and compared afterwards."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[bytes | tuple[bytes, bytes], ...], tuple[Request, list[int]]] = {}

    def of(self, fields: Fields) -> Request:
        """The request with these fields.

        Raises:
            MalformedRequest: they break a rule.
        """
        form = tuple([field if field[0] in _COMPARED else field[0] for field in fields])
        known = self._known.get(form)
        if known is not None:
            return _alike(*known, fields)
        request = request_of(fields)
        if request.size <= _LARGEST_KEPT:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[form] = _without_values(request, form)
        return request


def _without_values(request: Request, form: tuple[bytes | tuple[bytes, bytes], ...]) -> tuple[Request, list[int]]:
    """What a request has in common with others of its form, and the places of the fields that have other values."""
    places = [place for place, field in enumerate(form) if isinstance(field, bytes)]
    size = request.size - sum(len(request.fields[place][1]) for place in places)
    return request._replace(timeout=None, fault="", size=size, fields=[]), places


def _alike(known: Request, places: list[int], fields: Fields) -> Request:
    """The request with these fields, which are those of a known one but for the values at `places`."""
    path, timeout, encoding, length, refusal, size, _, fault = known
    for place in places:
        name, value = fields[place]
        size += len(value)
        if name == _TIMEOUT:
            timeout, fault = _timeout(value)
            if not fault:
                continue
        if not _VALUE(value):
            raise MalformedRequest("value of a field")
    return Request(path, timeout, encoding, length, refusal, size, fields, fault)


def request_of(fields: Fields) -> Request:
    """The request with these fields.

    Raises:
        MalformedRequest: they break a rule.
    """
    found: dict[bytes, bytes] = {}
    behind_pseudo, size = False, 0
    for name, value in fields:
        size += len(name) + len(value) + _ENTRY_BYTES
        if name[:1] == b":":
            if behind_pseudo or name not in _PSEUDO or name in found:
                raise MalformedRequest("pseudo-header")
        else:
            behind_pseudo = True
            _check_name(name, value)
        if not _VALUE(value):
            raise MalformedRequest("value of a field")
        found[name] = value
    method, path = found.get(b":method"), found.get(b":path")
    if method is None or not path or found.get(b":scheme") is None:
        raise MalformedRequest("pseudo-header is missing")
    timeout, fault = _timeout(found.get(_TIMEOUT))
    length = _length(fields) if b"content-length" in found else None
    return Request(path, timeout, found.get(b"grpc-encoding", b""), length, _refusal(method, found), size, fields, fault)


def check_trailers(fields: Fields) -> None:
    """Return if these can end a request.

    Raises:
        MalformedRequest: they break a rule.
    """
    for name, value in fields:
        if name[:1] == b":":
            raise MalformedRequest("pseudo-header in trailers")
        _check_name(name, value)
        if not _VALUE(value):
            raise MalformedRequest("value of a field")


def _check_name(name: bytes, value: bytes) -> None:
    if not _NAME(name) or name in _FORBIDDEN or (name == b"te" and value != b"trailers"):
        raise MalformedRequest("name of a field")


def _timeout(text: bytes | None) -> tuple[float | None, str]:
    """The seconds of `grpc-timeout`, and what is wrong with it."""
    if text is None:
        return None, ""
    digits, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not digits.isdigit() or len(text) > _TIMEOUT_BYTES:
        return None, "malformed grpc-timeout"
    return int(digits) * unit, ""


def _length(fields: Fields) -> int:
    text, *others = {value for name, value in fields if name == b"content-length"}
    if others or not text.isdigit() or len(text) > 18:
        raise MalformedRequest("content-length")
    return int(text)


def _refusal(method: bytes, found: dict[bytes, bytes]) -> int:
    if method != b"POST":
        return 405
    return 0 if _GRPC(found.get(b"content-type", b"")) else 415
