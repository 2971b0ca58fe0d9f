"""What other processes have found out about a token: it saves argon2, never the look at the row."""

from edgeclients.core.authn.maintenance import Maintenance
from edgeclients.core.authn.matching import Matching
from edgeclients.core.authn.tokens import ParsedToken, Proof
from edgeclients.ports import Proofs


class SharedProofs:
    """Asks for proofs and believes them for the stored hash they were given for, and for no other.

    Args:
        proofs: where they are; None where there is one process only.
        matching: finds the row that a proof is about.
        maintenance: where proofs are noted, in the background.
    """

    def __init__(self, proofs: Proofs | None, matching: Matching, maintenance: Maintenance) -> None:
        self._proofs = proofs
        self._matching = matching
        self._maintenance = maintenance

    async def find(self, token: bytes, parsed: ParsedToken) -> Proof | None:
        """The proof of a token, if another process knows it."""
        proofs = self._proofs
        known = await proofs.recall(token) if proofs else None
        if proofs is None or known is None:
            return None
        client_id, tag = known
        if parsed.by_id and client_id != parsed.subject:
            return None
        return await self._matching.find_of(client_id, parsed, lambda row: proofs.vouches(tag, token, client_id, row.hash))

    def note(self, token: bytes, proof: Proof) -> None:
        """Let other processes know."""
        if self._proofs:
            self._maintenance.start(self._proofs.keep(token, proof.client_id, proof.row.hash))
