"""What a caller over gRPC is told when something goes wrong."""

import logging

from edgeclients.core.ids import new_uuid
from edgeclients.errors import DomainError, Internal, text_of

_log = logging.getLogger(__name__)


def telling(method: str, error: Exception) -> tuple[DomainError, str]:
    """What a caller is told of `error`: its row and its text. A fault of ours is logged with a request id, which is told."""
    if isinstance(error, DomainError):
        return error, text_of(error)
    request_id = new_uuid()
    _log.error("call failed unexpectedly", exc_info=error, extra={"method": method, "request_id": request_id})
    return Internal(), f"{text_of(Internal())}, request {request_id}"
