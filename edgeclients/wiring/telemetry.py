"""Starts telemetry, if the settings name a server for it."""

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edgeclients.ports import Store
from edgeclients.settings import Settings

if TYPE_CHECKING:
    from edgeclients.ops.telemetry import Telemetry

_log = logging.getLogger(__name__)


async def start(settings: Settings, store: Store) -> "Telemetry | None":
    """Running telemetry, announced in the log; None if it is disabled or has no server."""
    if not settings.callhome_url or not settings.send_telemetry:
        return None
    from edgeclients.ops.telemetry import Telemetry, document

    sent = document(settings.mode, (await store.outbox_state()).store_id)
    server = urlsplit(settings.callhome_url)
    _log.info(
        "telemetry is sent now and once a day; MG_SEND_TELEMETRY=false switches it off",
        extra={"to": f"{server.scheme}://{server.netloc.rpartition('@')[2]}", "sent": sent},
    )
    telemetry = Telemetry(settings.callhome_url, sent)
    telemetry.start()
    return telemetry
