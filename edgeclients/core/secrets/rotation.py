"""Replaces a client's secret; the old one ends at once, or after a grace period (edgeclients/README.md#credentials)."""

from typing import NamedTuple

from edgeclients.core import events, journal, limits
from edgeclients.core.authz.access import Access, enabled
from edgeclients.core.changes import touched
from edgeclients.core.secrets.issue import Secrets, SuppliedSecret
from edgeclients.core.secrets.keyring import generate
from edgeclients.errors import InvalidGrace, InvalidSecret, MissingSecret, SecretTaken, TooManyRetiring
from edgeclients.model import Client, Retirement, Session
from edgeclients.operations import Operation
from edgeclients.ports import Store, Transaction


class SecretChange(NamedTuple):
    """A new secret, sent by the caller or to be generated, and the grace period of the old one in seconds."""

    secret: str = ""
    generate: bool = False
    grace: int = 0


class Rotated(NamedTuple):
    """The client, and its new secret if that was generated."""

    client: Client
    generated: str | None


class Rotation:
    """Replaces secrets.

    Args:
        store: the clients.
        access: checks permissions.
        secrets: makes the stored form of secrets.
    """

    def __init__(self, store: Store, access: Access, secrets: Secrets) -> None:
        self._store = store
        self._access = access
        self._secrets = secrets

    async def rotate(self, session: Session, client_id: str, change: SecretChange) -> Rotated:
        """Give an enabled client a new secret. Without a grace period every older secret ends now.

        Raises:
            MissingSecret: none was sent, and none is to be generated.
            InvalidGrace: it is negative or longer than 30 days.
            InvalidSecret: the secret is not valid.
            SecretTaken: another client of the domain uses it.
            TooManyRetiring: the client has the maximum number of retiring secrets.
            NotFound: there is no such enabled client in this domain.
        """
        if not change.secret and not change.generate:
            raise MissingSecret
        if change.secret and change.generate:
            raise InvalidSecret("sent and to be generated")
        if not 0 <= change.grace <= limits.GRACE_SECONDS:
            raise InvalidGrace
        permit = await self._access.permit(session, Operation.UPDATE_SECRET, client_id)
        await self._access.admitted(permit, client_id)  # hashes nothing for a caller without permission
        supplied = [] if change.generate else [SuppliedSecret(client_id, change.secret)]
        secret = generate() if change.generate else change.secret
        stored = (await self._secrets.keep(session, supplied))(secret)

        async def unit(tx: Transaction) -> Client:
            old = await enabled(tx, permit, client_id)
            new = touched(old, tx, session)
            replaced = await tx.secret(client_id)
            await tx.set_secret(old, stored)
            if change.grace == 0:
                await tx.drop_retirements(client_id)
            elif replaced.lookup != stored.lookup:
                if len(await tx.retirements(client_id)) >= limits.RETIRING_SECRETS:
                    raise TooManyRetiring
                await tx.retire(old, Retirement(client_id, replaced, tx.now + change.grace * 1_000_000))
            await tx.replace(old, new)
            await tx.revoke([client_id])
            await tx.grant()
            await tx.append([events.updated(session, "client.update_secret", new)])
            await tx.record([journal.changed(session, "client.update_secret", old, new, grace_seconds=change.grace)])
            return new

        try:
            client = await self._store.run(unit)
        except SecretTaken:
            self._secrets.note_taken(session)
            raise
        return Rotated(client, secret if change.generate else None)
