"""The route of a client's secret (contract 3.7, design 5)."""

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
    """The route, for `rotation`."""

    @patch(
        "/{client_id:str}/secret",
        **describe(
            "updateClientSecret",
            "Give an enabled client a new secret, sent or generated; a generated one is shown in this answer only",
            "Either `secret` is sent, or `generate` asks for one. The old secret ends at once, or with `grace` after so "
            "many seconds; at most 4 old ones live on.",
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
        wanted: UpdateSecret = await body_of(request, _update)
        rotated = await rotation.rotate(session_of(request), client_id, wanted.to_change())
        return answer(to_body(rotated.client, rotated.generated or ""))

    return [update_client_secret]
