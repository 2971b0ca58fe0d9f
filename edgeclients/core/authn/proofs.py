"""What other processes have found out about a token: it saves argon2, never the look at the row."""

from edgeclients.core.authn.maintenance import Upkeep
from edgeclients.core.authn.matching import Matching
from edgeclients.core.authn.tokens import Presented, Proof
from edgeclients.ports import Proofs, Store


class Recollection:
    """Asks for proofs and believes them for the stored hash they were given for, and for no other.

    Args:
        proofs: where they are; None where there is one process only.
        store: where secrets are.
        matching: which row it is.
        upkeep: where proofs are noted, behind a caller's back.
    """

    def __init__(self, proofs: Proofs | None, store: Store, matching: Matching, upkeep: Upkeep) -> None:
        self._proofs = proofs
        self._store = store
        self._matching = matching
        self._upkeep = upkeep

    async def find(self, token: bytes, presented: Presented) -> Proof | None:
        """Whose token it is, if somebody knows that."""
        proofs = self._proofs
        known = await proofs.recall(token) if proofs else None
        if proofs is None or known is None:
            return None
        client_id, tag = known
        if presented.by_id and client_id != presented.subject:
            return None
        read = await self._store.secrets_of(client_id)
        return self._matching.proof(presented, read, lambda row: proofs.vouches(tag, token, client_id, row.hash))

    def note(self, token: bytes, proof: Proof) -> None:
        """Let others know."""
        if self._proofs:
            self._upkeep.start(self._proofs.keep(token, proof.client_id, proof.kept))
