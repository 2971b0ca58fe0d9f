"""One operator, who may do everything in every domain or in the domains named; and local operators beside."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgeclients.errors import DomainForbidden, StartError, Unauthenticated
from edgeclients.files import write_private
from edgeclients.model import EVERYTHING, MEMBERSHIP, DomainStanding, Identity, Session, Standing
from edgeclients.ports import Authorizer, Operators
from edgeclients.settings import SHORTEST_TOKEN, Settings

ID_FILE, TOKEN_FILE = "operator.id", "operator.token"


class Operator(NamedTuple):
    """The operator's id and token, and the file the token was read from or written to, if any."""

    id: str
    token: str
    token_file: Path | None


class Standalone(Authorizer):
    """`ports.Authenticator` and `ports.Authorizer` for the standalone operator and local ones.

    Args:
        operator: who may do everything.
        domains: the only ones anybody may act in; none named: any.
        operators: who else may call.
    """

    def __init__(self, operator: Operator, domains: Sequence[str], operators: Operators) -> None:
        self.operator = operator
        self._digest = hashlib.sha256(operator.token.encode()).digest()
        self._identity = Identity(operator.id, super_admin=True)
        self._domains = frozenset(domains)
        self._operators = operators

    async def authenticate(self, token: str) -> Identity:  # noqa: D102 - see ports.Authenticator
        presented = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        if hmac.compare_digest(presented, self._digest):
            return self._identity
        holder = await self._operators.holder(token)
        if holder is None:
            raise Unauthenticated
        return Identity(holder, super_admin=False)

    async def standing(self, session: Session, operation: str, client_ids: Sequence[str] = ()) -> Standing:  # noqa: ARG002, D102
        if self._domains and session.domain_id not in self._domains:
            raise DomainForbidden
        if session.super_admin:
            return EVERYTHING
        standing = await self._operators.standing(session.user_id, session.domain_id)
        if standing is None:
            raise DomainForbidden
        return EVERYTHING if standing is DomainStanding.ADMIN else MEMBERSHIP


def create(settings: Settings, operators: Operators) -> Standalone:
    """The operator the settings name, else the one in the data directory, made there on the first start; and `operators`.

    Raises:
        StartError: the token is too short, or a file cannot be used.
    """
    return Standalone(_operator(settings), settings.standalone_domains, operators)


def _operator(settings: Settings) -> Operator:
    name, token, token_file = settings.standalone_id, settings.standalone_token, settings.standalone_token_file
    if not name and not token and token_file is None:
        return _kept(settings.data_dir)
    if token_file is not None:
        token = _read(token_file)
    return _checked(Operator(name, token, token_file))


def _kept(data_dir: Path) -> Operator:
    id_file, token_file = data_dir / ID_FILE, data_dir / TOKEN_FILE
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
