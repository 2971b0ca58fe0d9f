"""Types of the fields of bodies, with their documentation in OpenAPI.

The decoder does not check these constraints. The use cases do, with an error for each (schema/README.md#errors).
"""

from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta

from edgeclients.core import limits
from edgeclients.model import ALL_ACTIONS, action_names

# Markers that `schemas` reads and removes.
REQUIRED_MARKER: Final = "x-must"  # of a required field
NAME_MARKER: Final = "x-named"  # of a schema that becomes a component with this name

_UUID_TEXT: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
UUID: Final = f"^{_UUID_TEXT}$"
NO_NUL: Final = r"^[^\x00]*$"  # no store accepts NUL


def shown(**schema: Any) -> Meta:
    """JSON Schema keywords of a field."""
    return Meta(extra_json_schema=schema)


def named(name: str, **schema: Any) -> Meta:
    """JSON Schema keywords of a field with a named schema, for which generators create one type."""
    return shown(**{NAME_MARKER: name}, **schema)


REQUIRED: Final = shown(**{REQUIRED_MARKER: True})
READ_ONLY: Final = shown(readOnly=True)
# Not a positive `const`: some generators turn a boolean one into a string.
NOT_TRUE: Final = shown(**{"not": {"const": True}})
NOT_FALSE: Final = shown(**{"not": {"const": False}})

Uuid: TypeAlias = Annotated[str, shown(pattern=UUID)]
UuidOrEmpty: TypeAlias = Annotated[str, shown(pattern=f"^({_UUID_TEXT})?$")]
Time: TypeAlias = Annotated[str, shown(format="date-time")]

Name: TypeAlias = Annotated[
    str, shown(maxLength=limits.NAME_BYTES, pattern=NO_NUL, description=f"At most {limits.NAME_BYTES} bytes of UTF-8.")
]
Tags: TypeAlias = Annotated[
    list[Annotated[str, shown(maxLength=limits.TAG_CHARACTERS, pattern=NO_NUL)]], shown(maxItems=limits.TAGS)
]
Identity: TypeAlias = Annotated[str, shown(maxLength=limits.IDENTITY_CHARACTERS, pattern=NO_NUL)]
ExternalId: TypeAlias = Annotated[
    str,
    shown(
        maxLength=limits.EXTERNAL_ID_CHARACTERS,
        pattern=NO_NUL,
        description="What its owner knows the client by, such as a serial number; unique in the domain. Empty: none.",
    ),
]
Secret: TypeAlias = Annotated[
    str,
    shown(
        maxLength=limits.SECRET_BYTES,
        pattern=r"^(?!\s+$)[^\x00]*$",
        description=f"At most {limits.SECRET_BYTES} bytes of UTF-8, not white space only, not the client's or domain's id.",
    ),
]
Metadata: TypeAlias = Annotated[
    dict[str, Any],
    named(
        "Metadata",
        description=f"Any JSON object without NUL characters, of at most {limits.METADATA_BYTES} bytes, "
        f"{limits.METADATA_VALUES} values and {limits.METADATA_DEPTH} levels.",
    ),
]
NewStatus: TypeAlias = Annotated[
    Any, shown(type="string", enum=["", "enabled", "disabled"], description="If missing or empty: `enabled`.")
]
Grace: TypeAlias = Annotated[
    int,
    shown(minimum=0, maximum=limits.GRACE_SECONDS, description="Seconds for which the old secret also stays valid."),
]
Types: TypeAlias = Annotated[
    list[Annotated[str, named("ConnectionType", enum=["publish", "subscribe"])]],
    shown(minItems=1, maxItems=limits.CONNECTIONS, description="Connection types, in any letter case."),
]
Ids: TypeAlias = Annotated[list[Uuid], shown(minItems=1, maxItems=limits.CONNECTIONS)]

RoleName: TypeAlias = Annotated[
    str,
    shown(
        minLength=1,
        maxLength=limits.ROLE_NAME_BYTES,
        pattern=NO_NUL,
        description=f"At most {limits.ROLE_NAME_BYTES} bytes of UTF-8; unique among the client's roles.",
    ),
]
ActionName: TypeAlias = Annotated[str, named("Action", enum=list(action_names(ALL_ACTIONS)))]
Actions: TypeAlias = Annotated[list[ActionName], shown(uniqueItems=True)]
Members: TypeAlias = Annotated[
    list[Annotated[str, shown(minLength=1, maxLength=limits.MEMBER_CHARACTERS, pattern=NO_NUL)]],
    shown(uniqueItems=True, maxItems=limits.MEMBERS),
]
NOT_EMPTY: Final = shown(minItems=1)
