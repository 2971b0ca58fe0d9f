"""What the service refuses or takes although its description says otherwise: rules that JSON Schema has no words for.

A difference is a rule's only if the request really breaks it; anything else is a fault of the description or the service.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemathesis import Case
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario

from edgeclients.core import limits
from edgeclients.core.rules import values


def may_refuse(case: Case[Any], code: str) -> bool:
    """Whether a request that the description allows breaks the rule that this error code is for."""
    return code in _RULES and _RULES[code](case)


def may_take(case: Case[Any]) -> bool:
    """Whether what the description does not allow about a request is something that is ignored."""
    # Queries are open (schema/README.md#query-parameters), which OpenAPI cannot say.
    phase = case.meta.phase.data if case.meta else None
    return (
        isinstance(phase, CoveragePhaseData)
        and phase.scenario is CoverageScenario.OBJECT_UNEXPECTED_PROPERTIES
        and phase.parameter_location == "query"
    )


def _long_name(case: Case[Any]) -> bool:
    """Names are measured in bytes, texts of JSON Schema in characters."""
    names = [case.query.get("name", ""), *_fields(case, "name")]
    return _longer(names, limits.NAME_BYTES) or _longer(_fields(case, "name", "role_name"), limits.ROLE_NAME_BYTES)


def _bad_secret(case: Case[Any]) -> bool:
    """Secrets are measured in bytes, too, and must not be what anybody can read."""
    secrets = [*_fields(case, "secret"), *(one.get("secret") for one in _fields(case, "credentials") if one)]
    known = {case.path_parameters.get("client_id"), case.path_parameters.get("domain_id"), *_fields(case, "id")}
    return _longer(secrets, limits.SECRET_BYTES) or not known.isdisjoint(filter(None, secrets))


def _large_metadata(case: Case[Any]) -> bool:
    return any(
        len(json.dumps(one, ensure_ascii=False).encode()) > limits.METADATA_BYTES
        or values(one) > limits.METADATA_VALUES
        or _depth(one) > limits.METADATA_DEPTH
        for one in _metadata(case)
    )


def _nul_in_metadata(case: Case[Any]) -> bool:
    return any("\\u0000" in json.dumps(one) for one in _metadata(case))


def _no_object_in_query(case: Case[Any]) -> bool:
    """`contentSchema`, by which the description says what the text is, is a remark only."""
    try:
        return not isinstance(json.loads(case.query.get("metadata", "null")), dict | None)
    except ValueError:
        return True


_RULES: Mapping[str, Callable[[Case[Any]], bool]] = {
    "invalid_name": _long_name,
    "invalid_secret": _bad_secret,
    "invalid_metadata": _large_metadata,
    "malformed_request": _nul_in_metadata,
    "invalid_query": _no_object_in_query,
}


def _fields(case: Case[Any], *names: str) -> list[Any]:
    """The values of these fields of the body, or of each object of a list."""
    bodies = case.body if isinstance(case.body, list) else [case.body]
    return [body[name] for body in bodies if isinstance(body, Mapping) for name in names if name in body]


def _metadata(case: Case[Any]) -> Iterator[Any]:
    yield from filter(None, _fields(case, "metadata", "private_metadata"))
    if case.query.get("metadata"):
        try:
            yield json.loads(case.query["metadata"])
        except ValueError:
            return


def _longer(texts: list[Any], most: int) -> bool:
    return any(isinstance(text, str) and len(text.encode()) > most for text in texts)


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0) if isinstance(value, Mapping | list) else 0
