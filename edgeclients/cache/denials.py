"""What the Redis server of the cache does not allow, told to whoever runs it."""

import logging

from edgeclients.acl import missing

_log = logging.getLogger(__name__)


class Denials:
    """Tells of each right that is missing on the server of the cache, once.

    Args:
        pattern: of the keys or channels that are used.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._told: set[str] = set()

    def note(self, error: BaseException) -> bool:
        """Whether `error` is such a denial; then the log has it."""
        right = missing(error, self._pattern)
        if right and right not in self._told:
            self._told.add(right)
            _log.warning(
                "the Redis server of MG_CLIENTS_CACHE_URL does not allow all that is needed",
                extra={"error": f"the right {right} is missing"},
            )
        return bool(right)
