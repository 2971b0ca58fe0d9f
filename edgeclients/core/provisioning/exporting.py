"""Exports the clients of a domain: as a table, or as lines with a JSON object each. What it writes can be imported."""

import contextlib
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from edgeclients.core import limits
from edgeclients.core.authz.access import Access
from edgeclients.core.events import status_name
from edgeclients.core.provisioning import cells
from edgeclients.core.provisioning.columns import NAMES, column_of
from edgeclients.core.provisioning.record import Path
from edgeclients.core.provisioning.slots import Slots
from edgeclients.core.provisioning.table import row_text
from edgeclients.errors import Forbidden, SuperAdminOnly, TooManyKeys
from edgeclients.model import ClientFilter, Exported, Session
from edgeclients.ports import Snapshot, Store
from edgeclients.text import to_cell

_SECRET = "secret"  # noqa: S105 - the name of a column
_encode = msgspec.json.Encoder().encode


class Format(StrEnum):
    """The forms of an export."""

    CSV = "csv"
    JSONL = "jsonl"


class Exports:
    """Exports domains.

    Args:
        store: the clients.
        access: checks permissions.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access
        self._slots = Slots("exports")

    async def run(self, session: Session, form: Format, *, with_hashes: bool) -> AsyncGenerator[bytes, None]:
        """The clients of the session's domain, all from one moment.

        Raises:
            Forbidden: the caller does not see every client of the domain.
            SuperAdminOnly: hashes of secrets are for super admins.
            TooManyKeys: the metadata has more keys than a table may have columns.
            Busy: the caller exports already, or others do.
        """
        if with_hashes and not session.super_admin:
            raise SuperAdminOnly
        if not session.super_admin and not (await self._access.viewer(session, ClientFilter())).everything:
            raise Forbidden
        async with self._slots.taken(session), self._store.snapshot(session.domain_id) as snapshot:
            lines = (
                _table(snapshot, with_hashes=with_hashes) if form is Format.CSV else _objects(snapshot, with_hashes=with_hashes)
            )
            async with contextlib.aclosing(lines):
                async for part in lines:
                    yield part


async def _objects(snapshot: Snapshot, *, with_hashes: bool) -> AsyncGenerator[bytes, None]:
    async for part in snapshot.clients():
        yield b"".join(_encode(_object(one, with_hashes=with_hashes)) + b"\n" for one in part)


def _object(one: Exported, *, with_hashes: bool) -> dict[str, Any]:
    client = one.client
    channels: dict[str, list[str]] = {}
    for channel, kind in sorted(one.connections):
        channels.setdefault(channel, []).append(kind.name.lower())
    return {
        "id": client.id,
        "name": client.name,
        "external_id": client.external_id,
        "tags": client.tags,
        "parent_group_id": client.parent_group_id or "",
        "credentials": {"identity": client.identity} | ({_SECRET: one.secret} if with_hashes else {}),
        "metadata": msgspec.Raw(client.metadata.encode()),
        "private_metadata": msgspec.Raw(client.private_metadata.encode()),
        "status": status_name(client.status),
        "channels": [{"id": channel, "types": types} for channel, types in channels.items()],
    }


async def _table(snapshot: Snapshot, *, with_hashes: bool) -> AsyncGenerator[bytes, None]:
    names = [name for name in NAMES if with_hashes or name != _SECRET]
    paths = await _paths(snapshot)
    yield row_text([*names, *map(column_of, paths)])
    async for part in snapshot.clients():
        yield b"".join(row_text(_cells(one, names, paths)) for one in part)


async def _paths(snapshot: Snapshot) -> list[Path]:
    """The paths of all metadata values, none of which leads through another."""
    found: set[Path] = set()
    async for part in snapshot.clients():
        for one in part:
            found.update(_leaves((), msgspec.json.decode(one.client.metadata)))
        if len(found) > limits.EXPORTED_KEYS:
            raise TooManyKeys
    ends = {path for path in found if not any(path[:length] in found for length in range(1, len(path)))}
    return sorted(ends)


def _leaves(path: Path, value: object) -> Iterable[Path]:
    if isinstance(value, Mapping) and (value or not path):
        for key, inner in value.items():
            yield from _leaves((*path, key), inner)
    else:
        yield path


def _cells(one: Exported, names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    client = one.client
    texts = {
        "id": client.id,
        "name": to_cell(client.name),
        "external_id": to_cell(client.external_id),
        "identity": to_cell(client.identity),
        _SECRET: one.secret,
        "tags": cells.cell_of_tags(client.tags),
        "parent_group_id": client.parent_group_id or "",
        "status": status_name(client.status),
        "channels": cells.cell_of_channels(one.connections),
    }
    metadata = msgspec.json.decode(client.metadata)
    return [*(texts[name] for name in names), *(_cell_at(metadata, path) for path in paths)]


def _cell_at(metadata: object, path: Path) -> str:
    value = metadata
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return ""
        value = value[key]
    return cells.cell_of_value(value)
