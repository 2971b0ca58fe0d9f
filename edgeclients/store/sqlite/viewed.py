"""Rows as they were looked at since the last commit: tools look at the same ones over and over."""

from edgeclients.model import Viewed

_ROWS = 512
_ROW_CHARACTERS = 4096  # of metadata: larger ones are not kept


class ViewedRows:
    """A few rows, all of them forgotten with every commit. To be used in one event loop."""

    def __init__(self) -> None:
        self._rows: dict[str, Viewed] = {}
        self.generation = 0

    def get(self, client_id: str) -> Viewed | None:
        """The row, if it is known."""
        return self._rows.get(client_id)

    def keep(self, viewed: Viewed, generation: int) -> None:
        """Keep a row whose reading began in this generation; not if it is over."""
        client = viewed.client
        if generation != self.generation or len(client.metadata) + len(client.private_metadata) > _ROW_CHARACTERS:
            return
        if len(self._rows) >= _ROWS:
            self._rows.clear()
        self._rows[client.id] = viewed

    def forget(self) -> None:
        """Something has changed."""
        self.generation += 1
        self._rows.clear()
