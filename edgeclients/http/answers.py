"""Answers: prepared bytes with their headers, and every error in one shape."""

import logging
from typing import Any, Final

import msgspec
from litestar.exceptions import ClientException, HTTPException, MethodNotAllowedException, NotFoundException
from litestar.response.base import ASGIResponse

from edgeclients.errors import (
    BodyTooLarge,
    DomainError,
    Internal,
    MalformedRequest,
    MethodNotAllowed,
    NoRoute,
    row_of,
    text_of,
)

JSON: Final = "application/json"

_encode = msgspec.json.Encoder().encode
_log = logging.getLogger(__name__)


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """The body of every answer that is an error (contract A2)."""

    message: str
    error: str
    request_id: str = ""


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> ASGIResponse:
    """`content` as JSON."""
    return ASGIResponse(body=_encode(content), status_code=status, headers=headers)


def empty(status: int) -> ASGIResponse:
    """No content, with the type the published service sends even then (contract 1.3)."""
    return ASGIResponse(status_code=status, headers={"content-type": JSON})


def error_body(error: DomainError, request_id: str) -> bytes:
    """The JSON of an error; a 500 names the request, so that its log line can be found."""
    row = row_of(error)
    return _encode(ErrorBody(text_of(error), row.code, request_id if row.error is Internal else ""))


def failure(error: DomainError, request_id: str, headers: dict[str, str] | None = None) -> ASGIResponse:
    """The answer that tells a caller of `error`."""
    extra = dict(headers or {})
    row = row_of(error)
    if error.retry_after is not None:
        extra["retry-after"] = str(error.retry_after)
    elif row.http == 503:
        extra["retry-after"] = "1"
    if row.http == 401:
        extra["www-authenticate"] = "Bearer"
    return ASGIResponse(body=error_body(error, request_id), status_code=row.http, headers=extra)


def telling(error: Exception, request_id: str) -> ASGIResponse:
    """The answer to whatever went wrong: ours by the table, the framework's as ours, a fault of ours as 500.

    A fault's details are in the log; the caller gets the request's id.
    """
    if isinstance(error, DomainError):
        return failure(error, request_id)
    if isinstance(error, NotFoundException):
        return failure(NoRoute(), request_id)
    if isinstance(error, MethodNotAllowedException):
        return failure(MethodNotAllowed(), request_id, dict(error.headers or {}))
    if isinstance(error, HTTPException) and error.status_code == 413:
        return failure(BodyTooLarge(), request_id)
    if isinstance(error, ClientException):
        return failure(MalformedRequest(type(error).__name__), request_id)
    _log.error("request failed unexpectedly", exc_info=error, extra={"request_id": request_id})
    return failure(Internal(), request_id)
