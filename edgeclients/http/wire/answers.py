"""Answers: prepared bytes with their headers."""

from typing import Any

import msgspec
from litestar.response.base import ASGIResponse

from edgeclients.http.wire.failures import JSON

_encode = msgspec.json.Encoder().encode


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> ASGIResponse:
    """`content` as JSON."""
    return ASGIResponse(body=_encode(content), status_code=status, headers=headers)


def empty(status: int) -> ASGIResponse:
    """No content, with the type the published service sends even then (contract 1.3)."""
    return ASGIResponse(status_code=status, headers={"content-type": JSON})
