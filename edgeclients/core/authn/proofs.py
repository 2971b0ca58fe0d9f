"""Proofs of other processes about a token: they save argon2, but not reading the row."""

from edgeclients.core.authn.maintenance import Maintenance
from edgeclients.core.authn.matching import Matching
from edgeclients.core.authn.tokens import ParsedToken, Proof
from edgeclients.ports import Proofs


class SharedProofs:
    """Looks proofs up. A proof is valid only for the stored hash that it was made for.

    Args:
        proofs: the proofs; None with a single process.
        matching: finds the row of a proof.
        maintenance: stores proofs in the background.
    """

    def __init__(self, proofs: Proofs | None, matching: Matching, maintenance: Maintenance) -> None:
        self._proofs = proofs
        self._matching = matching
        self._maintenance = maintenance

    async def find(self, token: bytes, parsed: ParsedToken) -> Proof | None:
        """The proof of a token, if another process has stored one."""
        proofs = self._proofs
        known = await proofs.recall(token) if proofs else None
        if proofs is None or known is None:
            return None
        client_id, tag = known
        if parsed.by_id and client_id != parsed.subject:
            return None
        return await self._matching.find_of(client_id, parsed, lambda row: proofs.vouches(tag, token, client_id, row.hash))

    def note(self, token: bytes, proof: Proof) -> None:
        """Store a proof for other processes."""
        if self._proofs:
            self._maintenance.start(self._proofs.keep(token, proof.client_id, proof.row.hash))
