"""Whom an executable trusts on a system that keeps its authorities where the building machine does not."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import disks
from tests.support.callee import asked_by_http
from tests.support.certificates import Authority, server_context
from tests.support.program import LAUNCHER
from tests.support.service import Service, started
from tests.support.waiting import wait_until

_HERE = ssl.get_default_verify_paths()
_ELSEWHERE = """
for folder in "$1" /etc/ssl /etc/pki; do
    [ ! -d "$folder" ] || mount -t tmpfs tmpfs "$folder"
done
[ ! "$2" ] || { mkdir -p "${2%/*}" && cp "$3" "$2"; }
shift 3
unset SSL_CERT_FILE SSL_CERT_DIR
exec "$@"
"""

pytestmark = pytest.mark.skipif(disks.WAY is None, reason="this machine lets nobody mount a disk for himself")


def where(place: str, authorities: Path) -> Sequence[str]:
    """What starts the service where `authorities` are at `place`, if that is anywhere, and OpenSSL's own folder is empty."""
    assert disks.WAY
    own = str(Path(_HERE.openssl_capath).parent)
    return [*disks.WAY, "sh", "-ec", _ELSEWHERE, "sh", own, place, str(authorities), *LAUNCHER, "serve"]


def outcome(service: Service) -> str:
    """What has become of the telemetry."""

    def told() -> list[str]:
        return [line["msg"] for line in service.lines if line["msg"] in {"telemetry was sent", "telemetry could not be sent"}]

    wait_until(lambda: bool(told()), "the telemetry")
    return told()[0]


@pytest.mark.parametrize(
    ("place", "expected"),
    [("/etc/ssl/certs/ca-certificates.crt", "telemetry was sent"), ("", "telemetry could not be sent")],
    ids=["there", "nowhere"],
)
def test_they_are_found(tmp_path: Path, place: str, expected: str) -> None:
    authority = Authority("somebody")
    (tmp_path / "ca.pem").write_text(authority.certificate)
    with asked_by_http(server_context(authority.sign("callee"))) as callee:
        env = {"MG_CALLHOME_URL": callee.url, "MG_CLIENTS_LOG_LEVEL": "debug"}
        with started(tmp_path / "data", env, where(place, tmp_path / "ca.pem")) as service:
            assert outcome(service) == expected
