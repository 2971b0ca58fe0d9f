"""The domain errors, and the one table of their forms over HTTP and gRPC.

Messages are those of schema/README.md#errors where one fits; codes are our own. `core` and `store` raise these; transports
look them up.
"""

from typing import Final, NamedTuple


class DomainError(Exception):
    """A failure that is returned to a caller according to its row in `TABLE`.

    Args:
        detail: for the log only; never sent, never a secret.
        retry_after: whole seconds after which a retry makes sense, if known.
        subject: appended to the message: a value that the caller sent, of a kind that is not secret.
    """

    def __init__(self, detail: str = "", *, retry_after: int | None = None, subject: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after
        self.subject = subject


class StartError(Exception):
    """The process cannot start; the text is one line with the reason and the remedy."""


class EndedError(Exception):
    """An essential part of the process has ended and cannot restart; the text is one line that names it."""


class NotSent(Exception):
    """Events could not be sent.

    Args:
        kind: one word for users and metrics: `unreachable`, `timed_out`, `denied` or `refused`.
        detail: for the log; never a part of an event, never a secret.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


# fmt: off
# Malformed requests.
class MissingDomain(DomainError): ...
class MissingId(DomainError): ...
class InvalidId(DomainError): ...
class InvalidName(DomainError): ...
class InvalidIdentity(DomainError): ...
class InvalidExternalId(DomainError): ...
class UnusableFile(DomainError): ...
class InvalidTags(DomainError): ...
class TooManyKeys(DomainError): ...
class InvalidMetadata(DomainError): ...
class InvalidSecret(DomainError): ...
class InvalidGrace(DomainError): ...
class EmptyList(DomainError): ...
class InvalidLimit(DomainError): ...
class InvalidOrder(DomainError): ...
class InvalidDirection(DomainError): ...
class InvalidQuery(DomainError): ...
class InvalidBody(DomainError): ...
class InvalidStatus(DomainError): ...
class InvalidConnectionType(DomainError): ...
class MalformedRequest(DomainError): ...
class MissingSecret(DomainError): ...
class MissingParentGroup(DomainError): ...
class MissingChannelId(DomainError): ...
class MissingConnectionType(DomainError): ...
class MissingRoleName(DomainError): ...
class MissingRoleId(DomainError): ...
class MissingActions(DomainError): ...
class MissingMembers(DomainError): ...
class RequestTimedOut(DomainError): ...
class BodyTooLarge(DomainError): ...
class TooManyElements(DomainError): ...
class TooManyChosenSecrets(DomainError): ...
class UnsupportedMediaType(DomainError): ...
class HeadersTooLarge(DomainError): ...


# Callers without permission.
class MissingToken(DomainError): ...
class Unauthenticated(DomainError): ...
class EmailNotVerified(DomainError): ...
class Forbidden(DomainError): ...
class DomainForbidden(DomainError): ...
class SuperAdminOnly(DomainError): ...
class CredentialsDenied(DomainError): ...


class CalloutRefused(DomainError):
    """A callout refused.

    Args:
        http: the status of its answer, which is passed on.
        message: the text of its answer, which is passed on too; empty for none.
    """

    def __init__(self, http: int | None = None, message: str = "") -> None:
        super().__init__()
        self.http = http
        self.message = message


# Missing entities and conflicts.
class NotFound(DomainError): ...
class NoRoute(DomainError): ...
class MethodNotAllowed(DomainError): ...
class SecretTaken(DomainError): ...
class IdTaken(DomainError): ...
class ExternalIdTaken(DomainError): ...
class AlreadyImported(DomainError): ...
class AlreadyConnected(DomainError): ...
class StatusUnchanged(DomainError): ...
class HasParent(DomainError): ...
class SameParent(DomainError): ...
class GroupOfOtherDomain(DomainError): ...
class GroupNotEnabled(DomainError): ...
class ClientNotEnabled(DomainError): ...
class TooManyRetiring(DomainError): ...
class RoleNameTaken(DomainError): ...
class ActionHeld(DomainError): ...
class MemberOfRole(DomainError): ...
class MemberOfOtherRole(DomainError): ...
class LastManagingRole(DomainError): ...
class TooManyRoles(DomainError): ...
class OperatorTaken(DomainError): ...
class TokenNameTaken(DomainError): ...
class UnknownOperator(DomainError): ...
class UnknownToken(DomainError): ...


# Rate limits, overload and unavailability.
class Throttled(DomainError): ...
class CheckRationed(DomainError): ...
class Busy(DomainError): ...
class StorageFull(DomainError): ...
class QueryTimedOut(DomainError): ...
class Unavailable(DomainError): ...
class CalloutFailed(DomainError): ...
class Internal(DomainError): ...

# fmt: on


class Row(NamedTuple):
    """The form of one error: a stable code, a text for users, an HTTP status and the name of a gRPC status."""

    error: type[DomainError]
    code: str
    message: str
    http: int
    grpc: str


TABLE: Final = (
    Row(MissingDomain, "missing_domain", "missing domainID", 400, "INVALID_ARGUMENT"),
    Row(MissingId, "missing_id", "missing entity id", 400, "INVALID_ARGUMENT"),
    Row(InvalidId, "invalid_id", "invalid id format provided", 400, "INVALID_ARGUMENT"),
    Row(InvalidName, "invalid_name", "invalid name size", 400, "INVALID_ARGUMENT"),
    Row(InvalidIdentity, "invalid_identity", "invalid identity size", 400, "INVALID_ARGUMENT"),
    Row(InvalidExternalId, "invalid_external_id", "invalid external id size", 400, "INVALID_ARGUMENT"),
    Row(UnusableFile, "unusable_file", "file cannot be imported:", 400, "INVALID_ARGUMENT"),
    Row(TooManyKeys, "too_many_keys", "too many different metadata keys for a table: export JSONL", 400, "INVALID_ARGUMENT"),
    Row(InvalidTags, "invalid_tags", "invalid tags provided", 400, "INVALID_ARGUMENT"),
    Row(InvalidMetadata, "invalid_metadata", "invalid metadata provided", 400, "INVALID_ARGUMENT"),
    Row(InvalidSecret, "invalid_secret", "invalid secret provided", 400, "INVALID_ARGUMENT"),
    Row(InvalidGrace, "invalid_grace", "invalid grace provided", 400, "INVALID_ARGUMENT"),
    Row(EmptyList, "empty_list", "empty list provided", 400, "INVALID_ARGUMENT"),
    Row(InvalidLimit, "invalid_limit", "invalid limit size", 400, "INVALID_ARGUMENT"),
    Row(InvalidOrder, "invalid_order", "invalid list order provided", 400, "INVALID_ARGUMENT"),
    Row(InvalidDirection, "invalid_direction", "invalid list direction provided", 400, "INVALID_ARGUMENT"),
    Row(InvalidQuery, "invalid_query", "invalid query parameters", 400, "INVALID_ARGUMENT"),
    Row(InvalidBody, "invalid_body", "request body is not a valid JSON, expecting a valid JSON", 400, "INVALID_ARGUMENT"),
    Row(InvalidStatus, "invalid_status", "invalid status", 400, "INVALID_ARGUMENT"),
    Row(InvalidConnectionType, "invalid_connection_type", "Unknown connection type", 400, "INVALID_ARGUMENT"),
    Row(MalformedRequest, "malformed_request", "malformed entity specification", 400, "INVALID_ARGUMENT"),
    Row(MissingSecret, "missing_secret", "missing secret", 400, "INVALID_ARGUMENT"),
    Row(MissingParentGroup, "missing_parent_group", "missing parent group id", 400, "INVALID_ARGUMENT"),
    Row(MissingChannelId, "missing_channel_id", "missing channel id", 400, "INVALID_ARGUMENT"),
    Row(MissingConnectionType, "missing_connection_type", "missing connection type", 400, "INVALID_ARGUMENT"),
    Row(MissingRoleName, "missing_role_name", "empty role name", 400, "INVALID_ARGUMENT"),
    Row(MissingRoleId, "missing_role_id", "empty role id", 400, "INVALID_ARGUMENT"),
    Row(MissingActions, "missing_actions", "missing policy entity type", 400, "INVALID_ARGUMENT"),
    Row(MissingMembers, "missing_members", "empty role members", 400, "INVALID_ARGUMENT"),
    Row(MissingToken, "missing_token", "missing or invalid bearer user token", 401, "UNAUTHENTICATED"),
    Row(
        Unauthenticated,
        "unauthenticated",
        "failed to perform authentication over the entity",
        401,
        "UNAUTHENTICATED",
    ),
    Row(EmailNotVerified, "email_not_verified", "email not verified", 401, "UNAUTHENTICATED"),
    Row(Forbidden, "forbidden", "failed to perform authorization over the entity", 403, "PERMISSION_DENIED"),
    Row(DomainForbidden, "domain_forbidden", "failed to perform authorization over the domain", 403, "PERMISSION_DENIED"),
    Row(SuperAdminOnly, "super_admin_only", "not authorized to perform admin action", 403, "PERMISSION_DENIED"),
    # One text for every failed Authenticate, that of a wrong secret (schema/README.md#authenticate): no oracle.
    Row(
        CredentialsDenied,
        "credentials_denied",
        "entity not found : failed to perform authorization over the entity",
        403,
        "PERMISSION_DENIED",
    ),
    # With the status and the message of the callout, if it returned one.
    Row(CalloutRefused, "callout_refused", "refused by a callout", 403, "PERMISSION_DENIED"),
    Row(NotFound, "not_found", "entity not found", 404, "NOT_FOUND"),
    Row(UnknownOperator, "unknown_operator", "operator not found", 404, "NOT_FOUND"),
    Row(UnknownToken, "unknown_token", "token not found", 404, "NOT_FOUND"),
    Row(NoRoute, "no_route", "no such route", 404, "UNIMPLEMENTED"),
    Row(MethodNotAllowed, "method_not_allowed", "method not allowed", 405, "UNIMPLEMENTED"),
    Row(RequestTimedOut, "request_timed_out", "request was not received in time", 408, "DEADLINE_EXCEEDED"),
    Row(SecretTaken, "secret_taken", "client key is not available", 409, "ALREADY_EXISTS"),
    Row(IdTaken, "id_taken", "entity already exists", 409, "ALREADY_EXISTS"),
    Row(ExternalIdTaken, "external_id_taken", "external id is not available", 409, "ALREADY_EXISTS"),
    Row(AlreadyImported, "already_imported", "file was already imported", 409, "ALREADY_EXISTS"),
    Row(AlreadyConnected, "already_connected", "entity already exists", 409, "ALREADY_EXISTS"),
    Row(StatusUnchanged, "status_unchanged", "status already assigned", 409, "FAILED_PRECONDITION"),
    Row(HasParent, "has_parent", "client already have parent", 409, "FAILED_PRECONDITION"),
    Row(SameParent, "same_parent", "client already assigned to the parent group", 409, "ALREADY_EXISTS"),
    Row(TooManyRetiring, "too_many_retiring", "too many retiring secrets", 409, "FAILED_PRECONDITION"),
    Row(RoleNameTaken, "role_name_taken", "entity already exists", 409, "ALREADY_EXISTS"),
    Row(ActionHeld, "action_held", "failed to add policies", 409, "ALREADY_EXISTS"),
    Row(MemberOfRole, "member_of_role", "failed to add policies", 409, "ALREADY_EXISTS"),
    Row(MemberOfOtherRole, "member_of_other_role", "failed to create entity", 409, "ALREADY_EXISTS"),
    Row(LastManagingRole, "last_managing_role", "last role that can manage roles", 409, "FAILED_PRECONDITION"),
    Row(TooManyRoles, "too_many_roles", "too many roles", 409, "FAILED_PRECONDITION"),
    Row(OperatorTaken, "operator_taken", "operator already exists", 409, "ALREADY_EXISTS"),
    Row(TokenNameTaken, "token_name_taken", "token name is not available", 409, "ALREADY_EXISTS"),
    Row(BodyTooLarge, "body_too_large", "request body is too large", 413, "RESOURCE_EXHAUSTED"),
    Row(TooManyElements, "too_many_elements", "too many elements in one request", 413, "INVALID_ARGUMENT"),
    Row(
        TooManyChosenSecrets,
        "too_many_chosen_secrets",
        "too many chosen secrets in one request",
        413,
        "INVALID_ARGUMENT",
    ),
    Row(UnsupportedMediaType, "unsupported_media_type", "unsupported content type", 415, "INVALID_ARGUMENT"),
    Row(ClientNotEnabled, "client_not_enabled", "failed to create entity", 422, "FAILED_PRECONDITION"),
    Row(GroupOfOtherDomain, "group_of_other_domain", "parent group has invalid domain id", 422, "FAILED_PRECONDITION"),
    Row(GroupNotEnabled, "group_not_enabled", "parent group is not enabled", 422, "FAILED_PRECONDITION"),
    Row(Throttled, "throttled", "too many requests, try again later", 429, "RESOURCE_EXHAUSTED"),
    Row(CheckRationed, "check_rationed", "credential check put off, try again", 429, "RESOURCE_EXHAUSTED"),
    Row(HeadersTooLarge, "headers_too_large", "request headers are too large", 431, "RESOURCE_EXHAUSTED"),
    Row(Internal, "internal", "internal error", 500, "INTERNAL"),
    Row(Busy, "busy", "service is busy, try again later", 503, "UNAVAILABLE"),
    Row(StorageFull, "storage_full", "storage is full", 503, "UNAVAILABLE"),
    Row(QueryTimedOut, "query_timed_out", "query took too long, narrow it", 503, "UNAVAILABLE"),
    Row(Unavailable, "unavailable", "service is not available, try again later", 503, "UNAVAILABLE"),
    Row(CalloutFailed, "callout_failed", "callout did not answer, try again later", 503, "UNAVAILABLE"),
)

_ROWS: Final = {row.error: row for row in TABLE}


def row_of(error: DomainError) -> Row:
    """The row of `error`; that of `Internal` for a class without one."""
    row = _ROWS.get(type(error)) or _ROWS[Internal]
    if isinstance(error, CalloutRefused) and error.http is not None:
        return row._replace(http=error.http, message=error.message or row.message)
    return row


def reason_of(error: BaseException) -> str:
    """The reason for an operator, in one line and never empty.

    What a server adds in further lines may hold values of the row; anybody on the machine can read the status of a unit.
    """
    text = getattr(error, "detail", "") or str(error)
    return next((line for line in text.splitlines() if line.strip()), type(error).__name__)


def text_of(error: DomainError) -> str:
    """The text for the caller."""
    message = row_of(error).message
    return f"{message} {error.subject}" if error.subject else message
