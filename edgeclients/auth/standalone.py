"""The standalone operator, who may do everything in every domain or in those configured; and local operators."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from typing_extensions import override

from edgeclients.errors import DomainForbidden, StartError, Unauthenticated
from edgeclients.files import read_small, remedy, write_private
from edgeclients.model import EVERYTHING, MEMBERSHIP, DomainStanding, Identity, Session, Standing
from edgeclients.operations import Operation
from edgeclients.ports import Authenticator, Authorizer, Operators
from edgeclients.settings import Settings, fault_of_token, read_token
from edgeclients.text import decoded

ID_FILE, TOKEN_FILE = "operator.id", "operator.token"


class Operator(NamedTuple):
    """The operator's id and token, and the token's file, if any."""

    id: str
    token: str
    token_file: Path | None


class Standalone(Authenticator, Authorizer):
    """`ports.Authenticator` and `ports.Authorizer` for the standalone operator and for local operators.

    Args:
        operator: the standalone operator.
        domains: the only domains that requests may name; empty for any.
        operators: the local operators.
    """

    def __init__(self, operator: Operator, domains: Sequence[str], operators: Operators) -> None:
        self.operator = operator
        self._digest = hashlib.sha256(operator.token.encode()).digest()
        self._identity = Identity(operator.id, super_admin=True)
        self._domains = frozenset(domains)
        self._operators = operators

    @override
    async def authenticate(self, token: str) -> Identity:
        presented = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        if hmac.compare_digest(presented, self._digest):
            return self._identity
        holder = await self._operators.holder(token)
        if holder is None:
            raise Unauthenticated
        return Identity(holder, super_admin=False)

    @override
    async def standing(self, session: Session, operation: Operation, client_ids: Sequence[str] = ()) -> Standing:
        if self._domains and session.domain_id not in self._domains:
            raise DomainForbidden
        if session.super_admin:
            return EVERYTHING
        standing = await self._operators.standing(session.user_id, session.domain_id)
        if standing is None:
            raise DomainForbidden
        return EVERYTHING if standing is DomainStanding.ADMIN else MEMBERSHIP


def create(settings: Settings, operators: Operators) -> Standalone:
    """The operator in the settings, else the one in the data directory, created on the first start; and `operators`.

    Raises:
        StartError: the token is not valid, or a file cannot be used.
    """
    return Standalone(_operator(settings), settings.standalone_domains, operators)


def _operator(settings: Settings) -> Operator:
    name, token, token_file = settings.standalone_id, settings.standalone_token, settings.standalone_token_file
    if not name and not token and token_file is None:
        return _stored(settings.data_dir)
    if token_file is not None:
        try:
            token = read_token(token_file)
        except (OSError, ValueError) as error:
            raise StartError(fault_of_token(token_file, error)) from error
    return _checked(Operator(name, token, token_file))


def _stored(data_dir: Path) -> Operator:
    id_file, token_file = data_dir / ID_FILE, data_dir / TOKEN_FILE
    try:
        if not token_file.exists():
            if not id_file.exists():  # a restored one stays: roles and journals name it
                write_private(id_file, str(uuid.uuid4()).encode())
            write_private(token_file, secrets.token_urlsafe(32).encode())
    except OSError as error:
        what = remedy(error, "make its folder writable")
        raise StartError(f"{token_file} cannot be written ({error.strerror}): {what}") from error
    return _checked(Operator(_read_text(id_file, _read_id), _read_text(token_file, read_token), token_file))


def _read_text(path: Path, read: Callable[[Path], str]) -> str:
    try:
        return read(path)
    except OSError as error:
        advice = "restore it, or remove operator.id and operator.token"
        raise StartError(f"{path} cannot be read ({error.strerror}): {advice}") from error
    except ValueError as error:
        raise StartError(f"{path} cannot be used, {error}") from error


def _read_id(path: Path) -> str:
    return decoded(read_small(path)).strip()


def _checked(operator: Operator) -> Operator:
    if not 0 < len(operator.id) <= 254 or "\0" in operator.id:
        raise StartError("the operator's id must have 1 to 254 characters")
    return operator
