"""Routes of the journal (schema/README.md#journal)."""

from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.history import History
from edgeclients.errors import (
    DomainForbidden,
    Forbidden,
    InvalidDirection,
    InvalidId,
    InvalidLimit,
    InvalidQuery,
    QueryTimedOut,
    SuperAdminOnly,
)
from edgeclients.http.wire.answers import answer
from edgeclients.http.wire.call import Call, session_of
from edgeclients.http.wire.docs import CLIENT_ID, STORE_ERRORS, describe
from edgeclients.http.wire.journal import DOMAIN_PARAMETERS, PARAMETERS, JournalPageBody, read_query, to_page

_ERRORS = (InvalidQuery, InvalidLimit, InvalidDirection, DomainForbidden, Forbidden, QueryTimedOut, *STORE_ERRORS)
_EXAMPLE = {
    "total": 1,
    "offset": 0,
    "limit": 10,
    "journals": [
        {
            "operation": "client.update",
            "occurred_at": "2026-11-26T09:30:00.25Z",
            "domain": "plant",
            "attributes": {
                "id": CLIENT_ID,
                "user_id": "ann",
                "from": "192.0.2.17",
                "request_id": "5a7a2d09-3a5e-4c5a-8a0e-5a1b0d6f7c11",
                "before": {"name": "boiler"},
                "after": {"name": "boiler 1"},
            },
        }
    ],
}


def routes(history: History) -> list[BaseRouteHandler]:
    """The routes of `history`."""

    @get(
        "/client/{client_id:str}",
        **describe(
            "listClientJournal",
            "List what was done to a client",
            "Returns one page of entries, the newest first, for administrators of the domain. Removed clients keep theirs.",
            answer=JournalPageBody,
            example=_EXAMPLE,
            errors=(InvalidId, *_ERRORS),
            query=PARAMETERS.values(),
            tag="journal",
        ),
    )
    async def list_client_journal(request: Call, client_id: str) -> ASGIResponse:
        query = read_query(request.scope["query_string"], PARAMETERS)
        return answer(to_page(await history.of_client(session_of(request), client_id, query.wanted), query))

    @get(
        "/",
        **describe(
            "listJournal",
            "List what was done in the domain",
            "Returns one page of entries, the newest first, for administrators of the domain.",
            answer=JournalPageBody,
            example=_EXAMPLE,
            errors=(SuperAdminOnly, *_ERRORS),
            query=DOMAIN_PARAMETERS.values(),
            tag="journal",
        ),
    )
    async def list_journal(request: Call) -> ASGIResponse:
        query = read_query(request.scope["query_string"], DOMAIN_PARAMETERS)
        read = history.of_all if query.everything else history.of_domain
        return answer(to_page(await read(session_of(request), query.wanted), query))

    return [list_client_journal, list_journal]
