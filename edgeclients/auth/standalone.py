"""One operator, who may do everything in every domain, or in the domains named."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgeclients.errors import DomainForbidden, StartError, Unauthenticated
from edgeclients.files import write_private
from edgeclients.model import Identity, Session
from edgeclients.settings import SHORTEST_TOKEN, Settings


class Operator(NamedTuple):
    """The operator's id and token, and the file the token was read from or written to, if any."""

    id: str
    token: str
    token_file: Path | None


class Standalone:
    """`ports.Authenticator` and `ports.Authorizer` for one operator."""

    def __init__(self, operator: Operator, domains: Sequence[str]) -> None:
        self.operator = operator
        self._digest = hashlib.sha256(operator.token.encode()).digest()
        self._identity = Identity(operator.id, super_admin=True)
        self._domains = frozenset(domains)

    async def authenticate(self, token: str) -> Identity:  # noqa: D102 - see ports.Authenticator
        presented = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        if not hmac.compare_digest(presented, self._digest):
            raise Unauthenticated
        return self._identity

    async def authorize(self, session: Session, operation: str, client_ids: Sequence[str] = ()) -> None:  # noqa: ARG002, D102
        if self._domains and session.domain_id not in self._domains:
            raise DomainForbidden


def create(settings: Settings) -> Standalone:
    """The operator the settings name; else the one in the data directory, made there on the first start.

    Raises:
        StartError: the token is too short, or a file cannot be used.
    """
    return Standalone(_operator(settings), settings.standalone_domains)


def _operator(settings: Settings) -> Operator:
    name, token, token_file = settings.standalone_id, settings.standalone_token, settings.standalone_token_file
    if not name and not token and token_file is None:
        return _kept(settings.data_dir)
    if token_file is not None:
        token = _read(token_file)
    return _checked(Operator(name, token, token_file))


def _kept(data_dir: Path) -> Operator:
    id_file, token_file = data_dir / "operator.id", data_dir / "operator.token"
    try:
        if not token_file.exists():
            write_private(id_file, str(uuid.uuid4()).encode())
            write_private(token_file, secrets.token_urlsafe(32).encode())
    except OSError as error:
        raise StartError(f"{token_file} cannot be written ({error.strerror}): make its folder writable") from error
    return _checked(Operator(_read(id_file), _read(token_file), token_file))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise StartError(f"{path} cannot be read ({reason}): restore it, or remove operator.id and operator.token") from error


def _checked(operator: Operator) -> Operator:
    if len(operator.token) < SHORTEST_TOKEN:
        raise StartError(
            f"the operator's token is shorter than {SHORTEST_TOKEN} characters: "
            "choose a longer one in MG_CLIENTS_STANDALONE_TOKEN_FILE"
        )
    if not 0 < len(operator.id) <= 254 or "\0" in operator.id:
        raise StartError("the operator's id must have 1 to 254 characters")
    return operator
