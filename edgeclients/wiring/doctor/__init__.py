"""Examines an installation and says what to do. Nothing is changed, whether the service runs or not."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeclients import settings
from edgeclients.core.secrets.keyring import Pepper
from edgeclients.errors import StartError
from edgeclients.settings import Settings
from edgeclients.store import pepper
from edgeclients.store.datadir import DATABASE, is_locked
from edgeclients.wiring.doctor import certificates, database, directory, ports
from edgeclients.wiring.doctor.check import Check, Status
from edgeclients.wiring.owner import acting_as_owner
from edgeclients.wiring.storage import given_peppers

__all__ = ["Check", "Status", "examine"]


def examine(loaded: Settings, environment: Mapping[str, str]) -> list[Check]:
    """All checks of the installation that has these settings.

    Args:
        loaded: the settings.
        environment: where they come from.

    Raises:
        StartError: this user cannot act as the owner of the data directory.
    """
    checks = [_settings(environment)]
    checks += asyncio.run(_of_cloud(loaded)) if loaded.mode == "cloud" else _of_gateway(loaded)
    with _as_service(loaded):
        checks.append(certificates.examine(loaded))
    return checks


def _settings(environment: Mapping[str, str]) -> Check:
    unknown = settings.unknown(environment)
    if unknown:
        return Check.warning("settings", f"{', '.join(unknown)}: there is no such setting", "correct the name, or unset it")
    return Check.ok("settings", "all settings are valid")


def _of_gateway(loaded: Settings) -> list[Check]:
    # Files outside of the data directory may be readable by root only, such as credentials of systemd.
    configured = pepper.given(loaded.pepper_files, pepper.systemd_credentials())
    given = _check_values(configured) if configured else None
    with _as_service(loaded):
        checks = _of_directory(loaded, given)
        running = is_locked(loaded.data_dir)
    return [*checks, ports.answering(loaded) if running else ports.available(loaded)]


def _of_directory(loaded: Settings, given: Mapping[str, bytes] | StartError | None) -> list[Check]:
    data = loaded.data_dir
    found = directory.exists(data)
    if found.status is not Status.OK:
        return [found]
    if given is None:
        given = _check_values(pepper.locate(data, (), None))
    examined = database.examine(data / DATABASE, given, has_stream=bool(loaded.event_stream))
    return [found, directory.permissions(data), directory.space(data), *examined]


async def _of_cloud(loaded: Settings) -> list[Check]:
    from edgeclients.wiring.doctor import cloud

    try:
        given = _check_values(given_peppers(loaded))
    except StartError as error:
        given = error
    checks = [check async for check in cloud.examine(loaded, given)]
    return [*checks, await asyncio.to_thread(ports.of_cloud, loaded)]


def _check_values(paths: Sequence[Path]) -> Mapping[str, bytes] | StartError:
    """The check values of these peppers by key id; or why one cannot be read."""
    try:
        return {one.key_id: one.check_value for one in (Pepper(pepper.read(path)) for path in paths)}
    except StartError as error:
        return error


def _as_service(loaded: Settings) -> contextlib.AbstractContextManager[None]:
    """As the user of the service, as far as that is known."""
    return contextlib.nullcontext() if loaded.mode == "cloud" else acting_as_owner(loaded.data_dir)
