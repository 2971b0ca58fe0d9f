"""`python -m edgeclients` is the same program as the `edgeclients` command."""

import sys

from edgeclients.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
