"""Logs permissions that the cache's Redis server denies."""

import logging

from edgeclients.acl import missing

_log = logging.getLogger(__name__)


class Denials:
    """Logs each missing permission on the cache's Redis server, once.

    Args:
        pattern: the pattern of the keys or channels in use.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._logged: set[str] = set()

    def note(self, error: BaseException) -> bool:
        """Whether `error` is a denied permission, which is then logged."""
        right = missing(error, self._pattern)
        if right and right not in self._logged:
            self._logged.add(right)
            _log.warning(
                "the Redis server of MG_CLIENTS_CACHE_URL denies a required permission",
                extra={"error": f"the right {right} is missing"},
            )
        return bool(right)
