"""Error responses, all of one shape (schema/README.md#errors), as ASGI messages: rejecting a request needs no framework."""

import logging
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from edgeclients.errors import DomainError, Internal, MethodNotAllowed, row_of, text_of
from edgeclients.http.scope import Message

JSON: Final = "application/json"
HEALTH_JSON: Final = "application/health+json"  # schema/README.md#health

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class ErrorBody(msgspec.Struct):
    """The body of every error response."""

    message: str
    error: str
    request_id: str | UnsetType = UNSET


def error_body(error: DomainError, request_id: str) -> bytes:
    """An error as JSON. A 500 contains the request id, which identifies its log line."""
    row = row_of(error)
    return _encode(ErrorBody(text_of(error), row.code, request_id if row.error is Internal else UNSET))


def failure_messages(error: Exception, request_id: str) -> tuple[Message, Message]:
    """The response to an error: a domain error by its row in `TABLE`, any other as 500.

    The log has the details of a 500; the caller gets the request id.
    """
    if isinstance(error, DomainError):
        return _messages(error, request_id)
    _log.error("request failed unexpectedly", exc_info=error, extra={"request_id": request_id})
    return _messages(Internal(), request_id)


def _messages(error: DomainError, request_id: str) -> tuple[Message, Message]:
    row, body = row_of(error), error_body(error, request_id)
    headers = {"content-type": JSON, "content-length": str(len(body))}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    elif row.http == 503:
        headers["retry-after"] = "1"
    if row.http == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = error.detail
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": row.http, "headers": raw}, {"type": "http.response.body", "body": body}
