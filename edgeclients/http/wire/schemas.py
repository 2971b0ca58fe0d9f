"""Types of bodies as JSON Schema: what msgspec makes of them, and what it does not say."""

from collections.abc import Sequence
from inspect import cleandoc
from typing import Any, Final

import msgspec

from edgeclients.http.wire.fields import MUST, NAMED

_REFERENCE: Final = "#/components/schemas/{name}"
_EMPTY: Final = {"default", "required"}  # keywords that say nothing where they are null or empty


class Schemas:
    """JSON Schemas of `bodies` of requests and `answers`; None in these is left out, a tuple is any of several.

    Attributes:
        components: those that others refer to, by name.
    """

    def __init__(self, bodies: Sequence[Any], answers: Sequence[Any]) -> None:
        wanted, given = _flat(bodies), _flat(answers)
        kinds = [*wanted, *(kind for kind in given if kind not in wanted)]
        made, structs = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
        of_requests = set(msgspec.json.schema_components(wanted, ref_template=_REFERENCE)[1])
        self.components: dict[str, Any] = {}
        self._made = [(kind, self._told(schema)) for kind, schema in zip(kinds, made, strict=True)]
        for name, schema in structs.items():
            self.components[name] = self._told(schema) | ({"additionalProperties": True} if name in of_requests else {})

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type, or of exactly one of several in a tuple."""
        if isinstance(kind, tuple):
            return {"oneOf": [self.of(one) for one in kind]}
        return next(schema for known, schema in self._made if known == kind)

    def _told(self, schema: Any) -> Any:
        """A schema with what must be there, open where nothing else is said, and without defaults that are null."""
        if isinstance(schema, list):
            return [self._told(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        told = {key: self._told(value) for key, value in schema.items() if key not in _EMPTY or value not in (None, [])}
        if isinstance(told.get("description"), str):
            told["description"] = cleandoc(told["description"])
        if told.get("type") == "object":
            _complete(told)
        name = told.pop(NAMED, None)
        if name is None:
            return told
        self.components[name] = {"title": name, **told}
        return {"$ref": _REFERENCE.format(name=name)}


def _complete(told: dict[str, Any]) -> None:
    properties = told.get("properties", {})
    must = [name for name, field in properties.items() if field.pop(MUST, False)]
    for name in must:
        properties[name] = _without_null(properties[name])
    if must:
        told["required"] = [*told.get("required", ()), *must]
    if not properties:
        told.setdefault("additionalProperties", True)


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    (only,) = (one for one in field.pop("anyOf") if one != {"type": "null"})
    return {**only, **field}


def _flat(kinds: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for kind in kinds:
        for one in kind if isinstance(kind, tuple) else (kind,):
            if one is not None and one not in found:
                found.append(one)
    return found
