"""What a later build uses again."""

import os
from pathlib import Path


def cache(name: str) -> Path:
    """The folder `name` in the user's cache, made if it is not there."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgeclients" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
