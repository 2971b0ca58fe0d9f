"""Run a caller, or h2spec, against a service of its own, and print what it says."""

import argparse
import tempfile
from pathlib import Path

from tests.support.foreign import CALLERS
from tests.support.mixed_calls import AUTHENTICATE, call, h2spec, port_of, serving


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.elsewhere", description=__doc__)
    parser.add_argument("program", choices=[*CALLERS, "h2spec"])
    parser.add_argument("--server", default="lane", help="MG_CLIENTS_GRPC_SERVER of the service")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=2, help="for how long h2spec waits")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), arguments.server) as service:
        if arguments.program == "h2spec":
            spec = h2spec(port_of(service), AUTHENTICATE, arguments.seconds)
            print(f"{len(spec.failed)} of {spec.tests} failed", *sorted(spec.failed), sep="\n")
        else:
            print(call(arguments.program, service, arguments.calls))


if __name__ == "__main__":
    main()
