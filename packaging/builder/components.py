"""What a bundle consists of: whose each file is, under which licence. Runs in the environment that the bundle is made of."""

import functools
import gzip
import platform
import re
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path

from builder.dpkg import Package, owners
from builder.problem import Problem

_IS_LICENCE = re.compile(r"(licen[sc]e|copying|notice|authors)[^/]*$", re.IGNORECASE)
_CODE = (".py", ".pyi", ".pyc", ".so")
_STDLIB = Path(sysconfig.get_path("stdlib")).resolve()
# Distributions whose wheels carry no text of their licence, each with the one that carries the same text.
_SAME_TEXT = {
    "grpcio-health-checking": "grpcio",
    "grpcio-reflection": "grpcio",
}


@dataclass(frozen=True, order=True)
class Component:
    """A part of the bundle that has a version and a licence.

    Attributes:
        name: its own name.
        version: its own version.
        kind: `pypi`, `npm`, `deb` or `generic`: the type of its package URL.
        licence: what it says of its licence: an SPDX expression, a name, or nothing.
        texts: files with the texts of its licence.
    """

    name: str
    version: str
    kind: str
    licence: str = field(compare=False)
    texts: tuple[Path, ...] = field(compare=False)


def components(bundled: Iterable[Path]) -> list[Component]:
    """The components that the files `bundled` are of, without edgeclients itself.

    Raises:
        Problem: a file is of nobody, or a component has no text of its licence.
    """
    distributed = _distributed()
    found = {_pyinstaller()}
    for path in bundled:
        if path.name.startswith("swagger-ui-bundle"):
            found.add(_swagger_ui(path))
        if path.name.startswith("DejaVu"):
            found.add(_dejavu(path))
        distribution = distributed.get(path.resolve())
        if distribution:
            found.add(_of_distribution(distribution.name))
        elif _is_of_python(path):
            found.add(_python())
        elif not path.is_relative_to(Path(__file__).parents[1]):
            found.add(_of_system(path))
    result = sorted(one for one in found if one.name != "edgeclients")
    for one in result:
        if not one.texts:
            raise Problem(f"{one.name} {one.version} has no text of its licence: name the file in {Path(__file__).name}")
    return result


def _distributed() -> dict[Path, Distribution]:
    return {
        Path(str(distribution.locate_file(file))).resolve(): distribution
        for distribution in distributions()
        for file in distribution.files or ()
    }


@functools.cache
def _of_distribution(name: str) -> Component:
    distribution = Distribution.from_name(name)
    metadata = distribution.metadata
    (licence,) = (metadata.get_all("License-Expression") or metadata.get_all("License") or [""])[:1]
    if not licence or "\n" in licence:
        classifiers = metadata.get_all("Classifier") or []
        licence = next((one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License ::")), "")
    return Component(distribution.name, distribution.version, "pypi", licence, _texts(name))


def _texts(name: str) -> tuple[Path, ...]:
    distribution = Distribution.from_name(_SAME_TEXT.get(name, name))
    files = [file for file in distribution.files or () if _IS_LICENCE.search(str(file)) and not str(file).endswith(_CODE)]
    return tuple(Path(str(distribution.locate_file(file))) for file in files)


def _pyinstaller() -> Component:
    """Its boot loader is the program that starts the bundle."""
    return _of_distribution("pyinstaller")


def _swagger_ui(script: Path) -> Component:
    """The page at `/docs`: part of edgeclients' wheel, and somebody else's."""
    said = re.search(rb'PACKAGE_VERSION:"([^"]+)"', gzip.decompress(script.read_bytes()))
    if not said:
        raise Problem(f"{script} does not say which version of swagger-ui it is")
    texts = (script.with_name("LICENSE.swagger-ui"), script.with_name("NOTICE.swagger-ui"))
    return Component("swagger-ui-dist", said[1].decode(), "npm", "Apache-2.0", texts)


def _dejavu(font: Path) -> Component:
    """The font of labels: part of edgeclients' wheel, and somebody else's."""
    said = re.search(rb"Version (\d+\.\d+)", font.read_bytes())
    if not said:
        raise Problem(f"{font} does not say which version of DejaVu it is")
    return Component("dejavu-fonts", said[1].decode(), "generic", "Bitstream-Vera", (font.with_name("LICENSE.dejavu"),))


def _is_of_python(path: Path) -> bool:
    return path.resolve().is_relative_to(_STDLIB) or path.name.startswith("libpython")


@functools.cache
def _python() -> Component:
    """Python itself: Debian's package, or what was installed from its sources."""
    package = _debian_package(_STDLIB / "os.py")
    if package:
        return _of_debian(package)
    text = _STDLIB / "LICENSE.txt"
    return Component("python", platform.python_version(), "generic", "PSF-2.0", (text,) if text.exists() else ())


def _of_system(path: Path) -> Component:
    package = _debian_package(path)
    if package is None:
        raise Problem(f"{path} is of no Debian package: make the bundle with --arch, in a Debian system of its own")
    return _of_debian(package)


def _of_debian(package: Package) -> Component:
    texts = (package.copyright,) if package.copyright.exists() else ()
    return Component(package.name, package.version, "deb", "", texts)


@functools.cache
def _debian_package(path: Path) -> Package | None:
    return next(iter(owners([path.resolve()], Path("/"))), None)
