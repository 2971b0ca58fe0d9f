"""Routes that import and export files (schema/README.md#import)."""

import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from litestar import get, post
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.provisioning.exporting import Exports, Format
from edgeclients.core.provisioning.importing import Caller, Imports
from edgeclients.core.provisioning.slots import Slots
from edgeclients.core.provisioning.summary import Summary
from edgeclients.errors import (
    Busy,
    DomainError,
    Forbidden,
    InvalidQuery,
    SuperAdminOnly,
    Throttled,
    TooManyKeys,
    UnsupportedMediaType,
    UnusableFile,
    row_of,
)
from edgeclients.http.scope import LOCAL
from edgeclients.http.wire import provisioning
from edgeclients.http.wire.call import Call, caller_of, session_of
from edgeclients.http.wire.docs import STORE_ERRORS, describe
from edgeclients.http.wire.failures import error_body
from edgeclients.http.wire.parameters import read
from edgeclients.http.wire.provisioning import CSV, JSONL
from edgeclients.http.wire.streaming import Streamed
from edgeclients.model import Session

_log = logging.getLogger(__name__)
_TYPES = {Format.CSV: CSV, Format.JSONL: JSONL}

_ANSWER = (
    '{"line":3,"column":"name","value":"","reason":"invalid name size"}\n'
    '{"line":4,"id":"bb7edb32-2eac-4aad-aebe-ed96fe073879","external_id":"SN-00017",'
    '"secret":"1f0c6a52-8a6e-4a1b-9a5f-6a8f7d0f3c21"}\n'
    '{"created":1,"updated":0,"unchanged":1,"failed":1}\n'
)
_TABLE = "external_id,name,tags,metadata.room\r\nSN-00017,boiler,floor-1,b1\r\n"


def routes(imports: Imports, exports: Exports) -> list[BaseRouteHandler]:
    """The routes of `imports` and `exports`."""
    slots = Slots("imports")

    @post(
        "/import",
        request_max_body_size=None,
        **describe(
            "importClients",
            "Create and update clients from a file, CSV or JSON lines",
            "The response has a line for each bad line of the file, one for each client whose secret was generated, and last "
            "the summary. It is sent while the request arrives. A response without a summary did not finish: send it again. "
            "Its last line may be an error, with the reason. A request that generates more than 20,000 secrets ends there, "
            "with `stopped_at` in the summary.",
            answer=str,
            example=_ANSWER,
            errors=(UnsupportedMediaType, UnusableFile, InvalidQuery, Throttled, Busy, *STORE_ERRORS),
            body=str,
            body_example=_TABLE,
            body_media=(CSV, JSONL),
            query=provisioning.IMPORT_PARAMETERS.values(),
            media_types=(JSONL,),
        ),
    )
    async def import_clients(request: Call) -> ASGIResponse:
        own = bool(request.scope.get(LOCAL))
        values = read(request.scope["query_string"], provisioning.OWN_PARAMETERS if own else provisioning.IMPORT_PARAMETERS)
        media_type = request.headers.get("content-type", "")
        session = session_of(request)
        await imports.admit(session)
        found = told(session, caller_of(request), values, media_type, request.stream(), own=own)
        return Streamed(with_reason(found, session), JSONL)

    async def told(
        session: Session, caller: Caller, values: dict[str, Any], media_type: str, body: AsyncIterator[bytes], *, own: bool
    ) -> AsyncGenerator[bytes, None]:
        async with slots.taken(session):
            file = await provisioning.read_file(media_type, body, values, own=own)
            if values.get("held"):
                async for held in imports.held(session, file.lines):
                    yield provisioning.held_lines_of(held)
                yield provisioning.lines_of([Summary()])
                return
            found = imports.run(session, provisioning.options_of(values, file), file.lines, caller)
            async with contextlib.aclosing(found) as lines:
                async for some in lines:
                    yield provisioning.lines_of(some)

    @get(
        "/export",
        **describe(
            "exportClients",
            "Export all clients of the domain, as CSV or JSON lines",
            "The file shows the clients as they are at one moment, in the form that an import reads. It has no secrets; with "
            "`with_hashes` it has their hashes, for super admins.",
            answer=str,
            example=_TABLE,
            errors=(InvalidQuery, Forbidden, SuperAdminOnly, TooManyKeys, Busy, *STORE_ERRORS),
            query=provisioning.EXPORT_PARAMETERS.values(),
            media_types=(CSV, JSONL),
        ),
    )
    async def export_clients(request: Call) -> ASGIResponse:
        values = read(request.scope["query_string"], provisioning.EXPORT_PARAMETERS)
        form = values.get("format", Format.CSV)
        session = session_of(request)
        found = exports.run(session, form, with_hashes=values.get("with_hashes", False))
        name = {"content-disposition": f'attachment; filename="clients.{form}"'}
        return Streamed(found, _TYPES[form], name)

    return [import_clients, export_clients]


async def with_reason(parts: AsyncGenerator[bytes, None], session: Session) -> AsyncGenerator[bytes, None]:
    """The parts of an answer; if it ends early, the last one is a line that says why."""
    begun = False
    try:
        async with contextlib.aclosing(parts):
            async for part in parts:
                begun = begun or bool(part)
                yield part
    except DomainError as error:
        if not begun:
            raise
        _log.warning("import ended early", extra={"reason": row_of(error).code, "request_id": session.request_id})
        yield error_body(error, session.request_id) + b"\n"
