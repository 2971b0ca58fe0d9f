"""The bill of materials of a bundle, in CycloneDX's JSON. Runs in the environment that the bundle is made of."""

import datetime as dt
import uuid
from collections.abc import Iterable

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as Entry
from cyclonedx.model.component import ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from builder.components import Component


def bill(version: str, architecture: str, components: Iterable[Component], moment: int) -> str:
    """The bill of materials of edgeclients `version`, the same for the same arguments.

    Args:
        version: the bundle's.
        architecture: Debian's name of it.
        components: what is in the bundle.
        moment: seconds since 1970: when the bundle was made.
    """
    program = Entry(
        name="edgeclients",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref=f"edgeclients@{version}",
        purl=PackageURL("pypi", None, "edgeclients", version),
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    entries = [_entry(one, architecture) for one in components]
    bom = Bom(components=entries, serial_number=_serial(version, architecture, entries))
    bom.metadata.component = program
    bom.metadata.timestamp = dt.datetime.fromtimestamp(moment, dt.UTC)
    bom.register_dependency(program, entries)
    written: str = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)
    return written + "\n"


def _entry(component: Component, architecture: str) -> Entry:
    is_debian = component.kind == "deb"
    purl = PackageURL(
        component.kind,
        "debian" if is_debian else None,
        component.name,
        component.version,
        {"arch": architecture} if is_debian else None,
    )
    return Entry(
        name=component.name,
        version=component.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=[LicenseFactory().make_from_string(component.licence)] if component.licence else (),
    )


def _serial(version: str, architecture: str, entries: Iterable[Entry]) -> uuid.UUID:
    """A number that depends on the content alone, so that two builds write the same bytes."""
    name = "\n".join([version, architecture, *(str(entry.purl) for entry in entries)])
    return uuid.uuid5(uuid.NAMESPACE_URL, name)
