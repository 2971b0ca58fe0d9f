"""The route that changes the secret of a client (schema/README.md#secrets)."""

from litestar import patch
from litestar.handlers import BaseRouteHandler
from litestar.response.base import ASGIResponse

from edgeclients.core.secrets.rotation import Rotation
from edgeclients.errors import (
    Busy,
    InvalidGrace,
    InvalidSecret,
    MissingSecret,
    NotFound,
    SecretTaken,
    Throttled,
    TooManyRetiring,
)
from edgeclients.http.wire.answers import answer
from edgeclients.http.wire.call import Call, body_of, session_of
from edgeclients.http.wire.clients import ChosenSecret, ClientBody, GeneratedSecret, UpdateSecret, decoder, to_body
from edgeclients.http.wire.docs import BODY_ERRORS, CLIENT_EXAMPLE, STORE_ERRORS, describe

_update = decoder(UpdateSecret)


def routes(rotation: Rotation) -> list[BaseRouteHandler]:
    """The route of `rotation`."""

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

    return [update_client_secret]
