"""What an import has done, by lines."""

from typing import Final

from msgspec import Struct

from edgeclients.core import limits

CREATED: Final = "created"
UPDATED: Final = "updated"
UNCHANGED: Final = "unchanged"
FAILED: Final = "failed"


class Summary(Struct, omit_defaults=False):
    """How many lines had which outcome.

    `stopped_at` is the line at which the import ended, as it would have made one secret too many, or was one line too many.
    `behind` is the line behind which it began, as a run before has imported all until there.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    stopped_at: int | None = None
    behind: int = 0

    @property
    def is_full(self) -> bool:
        """Whether these are as many lines as one import takes."""
        return sum(self.counts().values()) >= limits.IMPORTED_LINES

    def count(self, outcome: str, lines: int = 1) -> None:
        """Count lines with an outcome."""
        setattr(self, outcome, getattr(self, outcome) + lines)

    def counts(self) -> dict[str, int]:
        """The number of lines by outcome."""
        return {outcome: getattr(self, outcome) for outcome in (CREATED, UPDATED, UNCHANGED, FAILED)}

    def add(self, later: "Summary") -> None:
        """Count what a later import of the same file has done, too."""
        for outcome, lines in later.counts().items():
            self.count(outcome, lines)
        self.stopped_at = later.stopped_at
