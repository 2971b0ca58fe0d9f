"""The routes of secrets: changing one, and listing those that retire (schema/README.md#secrets)."""

from litestar import get, patch
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.secrets.retiring import Retiring
from edgeclients.core.secrets.rotation import Rotation
from edgeclients.errors import (
    Busy,
    InvalidGrace,
    InvalidLimit,
    InvalidQuery,
    InvalidSecret,
    MissingSecret,
    NotFound,
    QueryTimedOut,
    SecretTaken,
    Throttled,
    TooManyRetiring,
)
from edgeclients.http.wire import secrets
from edgeclients.http.wire.answers import answer
from edgeclients.http.wire.call import Call, body_of, session_of
from edgeclients.http.wire.clients import ChosenSecret, ClientBody, GeneratedSecret, UpdateSecret, decoder, to_body
from edgeclients.http.wire.docs import BODY_ERRORS, CLIENT_EXAMPLE, CLIENT_ID, STORE_ERRORS, describe
from edgeclients.http.wire.parameters import read, slice_of

_update = decoder(UpdateSecret)
_RETIRING_EXAMPLE = {
    "secrets": [
        {
            "client_id": CLIENT_ID,
            "name": "boiler",
            "external_id": "SN-00017",
            "status": "enabled",
            "retired_at": "2026-11-23T10:15:30.25Z",
            "expires_at": "2026-11-30T10:15:30.25Z",
            "last_used_at": "2026-11-24T07:00:01Z",
        }
    ]
}


def routes(rotation: Rotation, retiring: Retiring) -> list[BaseRouteHandler]:
    """The routes of `rotation` and `retiring`."""

    @patch(
        "/{client_id:str}/secret",
        **describe(
            "updateClientSecret",
            "Change the secret of an enabled client; only this response contains a generated secret",
            "The request contains `secret`, or `generate` for a generated one. The old secret becomes invalid at once, or "
            "after `grace` seconds. At most 4 old secrets can be valid.",
            answer=ClientBody,
            example=CLIENT_EXAMPLE,
            errors=(
                *BODY_ERRORS,
                MissingSecret,
                InvalidSecret,
                InvalidGrace,
                NotFound,
                SecretTaken,
                TooManyRetiring,
                Throttled,
                Busy,
                *STORE_ERRORS,
            ),
            body=(ChosenSecret, GeneratedSecret),
            body_example={"generate": True, "grace": 3600},
        ),
    )
    async def update_client_secret(request: Call, client_id: str) -> ASGIResponse:
        body: UpdateSecret = await body_of(request, _update)
        rotated = await rotation.rotate(session_of(request), client_id, body.to_change())
        return answer(to_body(rotated.client, rotated.generated or ""))

    @get(
        "/retiring-secrets",
        **describe(
            "listRetiringSecrets",
            "List replaced secrets that still work, and when each was last used",
            "The first to expire comes first. A page may have fewer secrets than `limit`, or up to 4 more; the last one has no "
            "`next`. Those who see every client of the domain may list all. Those who may view a client may list its own.",
            answer=secrets.RetiringPageBody,
            example=_RETIRING_EXAMPLE,
            errors=(InvalidQuery, InvalidLimit, NotFound, QueryTimedOut, Busy, *STORE_ERRORS),
            query=secrets.PARAMETERS.values(),
        ),
    )
    async def list_retiring_secrets(request: Call) -> ASGIResponse:
        values = read(request.scope["query_string"], secrets.PARAMETERS)
        _, limit = slice_of(values)
        session = session_of(request)
        if client_id := values.get("client", ""):
            return answer(secrets.to_page(await retiring.of_client(session, client_id)))
        return answer(secrets.to_page(await retiring.page(session, values.get("after", secrets.FIRST), limit)))

    return [update_client_secret, list_retiring_secrets]
