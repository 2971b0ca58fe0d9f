"""Where the bundle begins.

PyInstaller searches the folder of this file first. That of `edgeclients/__main__.py` has a `http` that is not Python's.
"""

import sys

from edgeclients.cli.main import main

sys.exit(main())
