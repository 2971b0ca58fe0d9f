"""Where the bundle begins.

PyInstaller searches the folder of this file first. That of `edgeclients/__main__.py` has a `http` that is not Python's.
"""

import os
import sys
from _ssl import get_default_verify_paths  # the rest of `ssl` takes time that not every command needs
from pathlib import Path

from edgeclients.cli.main import main

# Where distributions keep the authorities they trust. The bundle's OpenSSL looks where the building machine's does.
AUTHORITIES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch Linux, Yocto, OpenWrt
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
)


def trust_whom_the_system_does() -> None:
    """Name the authorities of this system to OpenSSL, unless it finds some or the environment names others."""
    file_variable, file, folder_variable, folder = get_default_verify_paths()
    if file_variable in os.environ or folder_variable in os.environ or Path(file).exists() or Path(folder).exists():
        return
    for path in filter(Path.exists, map(Path, AUTHORITIES)):
        os.environ[file_variable] = str(path)
        return


if __name__ == "__main__":
    trust_whom_the_system_does()
    sys.exit(main())
