"""A cache of viewed rows, valid until the next commit: tools view the same rows repeatedly."""

from edgeclients.model import Viewed

_ROWS = 512
_ROW_CHARACTERS = 4096  # of metadata: larger ones are not kept


class ViewedRows:
    """A few rows, all dropped with every commit. Use it in one event loop."""

    def __init__(self) -> None:
        self._rows: dict[str, Viewed] = {}
        self.generation = 0

    def get(self, client_id: str) -> Viewed | None:
        """The row, if it is cached."""
        return self._rows.get(client_id)

    def keep(self, viewed: Viewed, generation: int) -> None:
        """Cache a row that was read from `generation` on, unless that has ended."""
        client = viewed.client
        if generation != self.generation or len(client.metadata) + len(client.private_metadata) > _ROW_CHARACTERS:
            return
        if len(self._rows) >= _ROWS:
            self._rows.clear()
        self._rows[client.id] = viewed

    def forget(self) -> None:
        """Drop all rows: something has changed."""
        self.generation += 1
        self._rows.clear()
