"""The standalone authenticator, which a certain token makes block the event loop."""

import time

from typing_extensions import override

from edgeclients.auth import standalone
from edgeclients.model import Identity
from edgeclients.ports import Operators
from edgeclients.settings import Settings


class Blocking(standalone.Standalone):
    """Blocks at the token `block`, and first makes a file `blocked` in the data directory."""

    def __init__(self, plain: standalone.Standalone, settings: Settings, operators: Operators) -> None:
        super().__init__(plain.operator, settings.standalone_domains, operators)
        self._sign = settings.data_dir / "blocked"

    @override
    async def authenticate(self, token: str) -> Identity:
        if token == "block":
            self._sign.touch()
            while True:
                time.sleep(1)
        return await super().authenticate(token)


def create(settings: Settings, operators: Operators) -> Blocking:
    """What the entry point names."""
    return Blocking(standalone.create(settings, operators), settings, operators)
