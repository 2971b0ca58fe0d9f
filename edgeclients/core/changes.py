"""What every change of a client records: the time and the user."""

from typing import Any

import msgspec

from edgeclients.model import Client, Session
from edgeclients.ports import Transaction


def touched(client: Client, tx: Transaction, session: Session, **fields: Any) -> Client:
    """`client` with new `fields`, changed now by the session's user."""
    # The clock may have been set back since the client was created.
    return msgspec.structs.replace(client, updated_at=max(tx.now, client.created_at), updated_by=session.user_id, **fields)
