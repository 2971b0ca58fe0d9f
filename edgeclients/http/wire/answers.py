"""Successful responses: encoded bytes with their headers."""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from edgeclients.http.wire.failures import JSON

_encode = msgspec.json.Encoder().encode


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> ASGIResponse:
    """A response with `content` as JSON."""
    return ASGIResponse(body=_encode(content), status_code=status, headers=headers)


def empty(status: int) -> ASGIResponse:
    """A response without content, with the content type that Magistrala sends even then (schema/README.md#bodies)."""
    return ASGIResponse(status_code=status, headers={"content-type": JSON})
