"""The image, made and run by podman: as a gateway, in cloud mode, and as packaging/compose.yaml has it."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from edgeclients import __version__
from edgeclients._pb.clients.v1 import clients_pb2_grpc
from edgeclients.settings import SHORTEST_TOKEN
from tests.ship.conftest import ROOT
from tests.ship.pages import each_root_block
from tests.support.api import Api, basic
from tests.support.asking import get
from tests.support.certificates import Authority
from tests.support.composed import REPLICAS, Composed, authenticated
from tests.support.on_postgres import Cloud, secret_works
from tests.support.pages import for_anyone
from tests.support.podman import Podman
from tests.support.ports import free_port
from tests.support.redis import RedisServer
from tests.support.service import Service
from tests.support.waiting import PATIENCE, wait_until

sys.path.insert(0, str(ROOT / "packaging"))

from builder.architecture import ARCHITECTURES
from builder.emulation import emulating

FOLDER = ROOT / "packaging"
USER = 65532


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    with Podman() as made:
        yield made


@pytest.fixture(scope="module")
def bundle(artefacts: Path) -> Path:
    return artefacts / f"edgeclients-{__version__}-linux-amd64.tar.xz"


@pytest.fixture(scope="module")
def archive(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("archive")
    done = _make(bundle, output)
    assert done.returncode == 0, done.stderr
    (made,) = output.iterdir()
    assert done.stdout.strip() == str(made)
    return made


@pytest.fixture(scope="module")
def image(podman: Podman, archive: Path) -> str:
    return podman.load(archive)


def _make(bundle: Path, output: Path, *before: str, env: Mapping[str, str] = {}) -> "subprocess.CompletedProcess[str]":
    """Run packaging/image; `before` is a shell command within a mount namespace of its own."""
    script = " && ".join((*before, 'exec "$@"'))
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(FOLDER / "image")]
    arguments = ["--bundle", str(bundle), "--output", str(output)]
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return subprocess.run([*command, *arguments], env={"PATH": path, **env}, capture_output=True, text=True, check=False)


def _listening() -> dict[str, str]:
    return {"MG_CLIENTS_HTTP_PORT": str(free_port()), "MG_CLIENTS_GRPC_PORT": str(free_port())}


# The image


def test_the_same_bundle_is_the_same_archive(bundle: Path, archive: Path, tmp_path: Path) -> None:
    assert _make(bundle, tmp_path).returncode == 0
    assert (tmp_path / archive.name).read_bytes() == archive.read_bytes()


def test_what_an_image_says_of_itself(podman: Podman, image: str) -> None:
    assert image == f"localhost/edgeclients:{__version__}"
    known = podman.inspect(image)
    config = known["Config"]
    assert (known["Architecture"], known["Os"], known["User"]) == ("amd64", "linux", f"{USER}:{USER}")
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert config["Entrypoint"] + config["Cmd"] == ["/usr/bin/edgeclients", "serve"]
    assert config["StopSignal"] == "SIGTERM"
    assert {*config["ExposedPorts"]} == {"9006/tcp", "7000/tcp"}
    assert {*config["Volumes"]} == {"/data"}
    assert known["Healthcheck"]["Test"] == ["CMD", "/usr/bin/edgeclients", "health"]
    assert len(known["RootFS"]["Layers"]) == 1


def test_docker_s_list_names_the_same_image(podman: Podman, image: str, archive: Path) -> None:
    pulled = podman("pull", "--quiet", f"docker-archive:{archive}").stdout.strip()
    assert pulled == podman.inspect(image)["Id"]


def test_the_image_holds_what_it_needs_and_no_more(podman: Podman, image: str, tmp_path: Path) -> None:
    name = podman("create", image).stdout.strip()
    podman("export", "--output", tmp_path / "image.tar", name)
    files = {f"/{line}" for line in subprocess.check_output(["tar", "tf", tmp_path / "image.tar"], text=True).splitlines()}
    assert {"/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libz.so.1"} <= files
    assert {"/etc/ssl/certs/ca-certificates.crt", "/etc/passwd", "/usr/lib/edgeclients/LICENSES/"} <= files
    assert {"/usr/share/doc/libc6/copyright", "/var/lib/dpkg/status.d/libc6"} <= files
    assert [path for path in files if path.startswith("/bin/") or re.search(r"/(ba|da)?sh$", path)] == []


def test_commands(podman: Podman, image: str) -> None:
    assert podman.run(image, "version").stdout == f"{__version__}\n"
    shown = podman.run(image, "config", "check").stdout.splitlines()
    assert {"MG_CLIENTS_DATA_DIR=/data", "MG_CLIENTS_HTTP_HOST=0.0.0.0"} <= {*shown}
    wrong = podman.run(image, "config", "check", options=("--env", "MG_CLIENTS_HTTP_PORT=x"))
    assert (wrong.returncode, "MG_CLIENTS_HTTP_PORT: 'x' is not a whole number" in wrong.stderr) == (78, True)


# A gateway


@contextlib.contextmanager
def _gateway(podman: Podman, image: str, volume: str, *options: str) -> Iterator[Service]:
    data = Path(podman("volume", "inspect", "--format", "{{.Mountpoint}}", volume).stdout.strip())
    given = ("--volume", f"{volume}:/data", *options)
    with podman.serving("gateway", image, _listening(), data, given) as service:
        yield service


@pytest.fixture
def volume(podman: Podman) -> Iterator[str]:
    yield podman("volume", "create").stdout.strip()
    podman("volume", "prune", "--force")


def test_a_gateway_keeps_its_clients_in_the_volume(podman: Podman, image: str, volume: str) -> None:
    with _gateway(podman, image, volume) as service:
        with Api(service) as api:
            made = api.create(name="boiler")
        assert secret_works(service, made)
        token = service.token
        assert service.stop() == 0, "SIGTERM"
    with _gateway(podman, image, volume) as service:
        assert secret_works(service, made)
        assert service.token == token


def test_a_container_is_nobody_and_may_nothing(podman: Podman, image: str, volume: str) -> None:
    with _gateway(podman, image, volume) as service:
        process = Path("/proc", str(podman.inspect("gateway")["State"]["Pid"]))
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
        assert {*status["Uid"].split()} == {*status["Gid"].split()} == {str(USER)}
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
        assert status["NoNewPrivs"] == "1"
        mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
        assert [options.split(",")[0] for _, _, _, _, place, options, *_ in mounts if place == "/"] == ["ro"]
        assert service.data.stat().st_uid == USER


def test_commands_run_beside_the_service(podman: Podman, image: str, volume: str) -> None:
    with _gateway(podman, image, volume) as service:
        podman("exec", "gateway", "edgeclients", "operators", "add", "bob", "--domain", "plant-7=member")
        token = podman("exec", "gateway", "edgeclients", "operators", "token", "add", "bob", "laptop").stdout.strip()
        with Api(service, domain="plant-7", token=token, user="bob") as api:
            assert api.listed() == []


def test_the_health_check_tells_a_frozen_service(podman: Podman, image: str, volume: str) -> None:
    """The command is the image's; how long it may take, and when a failure counts, is not: this machine may be busy."""
    command = str(podman.inspect(image)["Healthcheck"]["Test"][1:]).replace("'", '"')
    patient = ("--health-cmd", command, "--health-timeout", f"{PATIENCE}s", "--health-retries", "1")
    with _gateway(podman, image, volume, *patient) as service:
        assert podman.health("gateway") == (0, "healthy")
        podman("kill", "--signal", "STOP", "gateway")
        assert podman.health("gateway") == (1, "unhealthy")
        podman("kill", "--signal", "CONT", "gateway")
        assert podman.health("gateway") == (0, "healthy")
        assert get(f"{service.http}/health").json()["status"] == "pass"


def test_a_certificate_of_a_public_authority_is_accepted_by_default(podman: Podman, image: str, volume: str) -> None:
    with _gateway(podman, image, volume) as service:
        environment = Path("/proc", str(podman.inspect("gateway")["State"]["Pid"]), "environ").read_text().split("\0")
        assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" in environment
        assert service.http


# Cloud mode


def test_cloud_mode_by_variables(podman: Podman, image: str, cloud: Cloud, tmp_path: Path) -> None:
    pepper = tmp_path / "pepper"
    pepper.chmod(0o444)
    with RedisServer() as redis:
        env = {
            **cloud.env,
            "MG_CLIENTS_PEPPER_FILE": "/run/secrets/pepper",
            "MG_CLIENTS_CACHE_URL": redis.address,
            "MG_CLIENTS_ES_URL": redis.address,
            **_listening(),
        }
        given = ("--volume", f"{pepper}:/run/secrets/pepper:ro")
        with podman.serving("cloud", image, env, options=given) as service:
            with Api(service) as api:
                made = api.create(name="boiler")
            assert secret_works(service, made)
            redis.wait_for(1)
            assert cloud.rows("SELECT count(*) FROM clients") == [(1,)]
            assert service.stop() == 0


def test_a_gateway_beside_a_wrong_setting_ends_with_one_line(podman: Podman, image: str) -> None:
    done = podman.run(image, "serve", options=("--env", "MG_CLIENTS_MODE=cloud"))
    assert done.returncode == 1
    assert "cloud mode creates no pepper" in done.stderr


# The page


def test_the_commands_of_the_page(podman: Podman, artefacts: Path, tmp_path: Path) -> None:
    """In one shell, in the page's order; the ports are the host's."""
    (tmp_path / "dist").symlink_to(artefacts)
    shutil.copytree(FOLDER, tmp_path / "packaging")
    podman.shim(tmp_path, _listening())
    (make,) = each_root_block("packaging/README.md", "Make the image")
    serve, stop = each_root_block("packaging/README.md", "Run a gateway in a container")
    first = make.text.replace("--output dist", "--output made").replace("--input dist", "--input made")
    script = f"{first}\n{serve.text}\n{stop.text}"
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["timeout", str(3 * PATIENCE), "bash", "-euc", script]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\n{__version__}\n" in done.stdout
    assert "\nhealthy\n" in done.stdout
    assert len((tmp_path / "operator.token").read_text()) >= SHORTEST_TOKEN


# compose.yaml


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files, with the secrets that the page makes."""
    top = tmp_path_factory.mktemp("compose")
    (top / "packaging").mkdir()
    for name in ("compose.yaml", "haproxy.cfg"):
        shutil.copy(FOLDER / name, top / "packaging")
    (block,) = for_anyone("packaging/README.md")
    subprocess.run(["sh", "-euc", block.text], cwd=top, check=True)
    for parent in (top, *top.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    return top / "packaging"


@pytest.fixture(scope="module")
def composed(folder: Path, podman: Podman, image: str) -> Iterator[Composed]:
    with Composed(folder, podman, image) as running:
        yield running


@pytest.fixture
def api(composed: Composed) -> Iterator[Api]:
    with Api(composed.front.service) as caller:
        yield caller


@pytest.fixture
def stub(composed: Composed) -> Iterator[clients_pb2_grpc.ClientsServiceStub]:
    with grpc.insecure_channel(composed.front.grpc) as channel:
        yield clients_pb2_grpc.ClientsServiceStub(channel)  # type: ignore[no-untyped-call]


def _token(client: dict[str, Any]) -> str:
    return basic(client["id"], client["credentials"]["secret"])


def test_secrets_are_for_one_user_of_the_host(folder: Path) -> None:
    assert (folder / "secrets").stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o777 for path in (folder / "secrets").iterdir()} == {0o444}


def test_http_and_grpc_go_through_the_load_balancer(
    composed: Composed, api: Api, stub: clients_pb2_grpc.ClientsServiceStub
) -> None:
    made = api.create(name="boiler")
    assert api.listed() == [made["id"]]
    assert authenticated(stub, _token(made)) == made["id"]
    with grpc.insecure_channel(composed.front.grpc) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_both_replicas_serve_on_one_connection(composed: Composed, api: Api, stub: clients_pb2_grpc.ClientsServiceStub) -> None:
    token = _token(api.create())

    def both() -> bool:
        authenticated(stub, token)
        return all(composed.served_by(name) > 0 for name in REPLICAS)

    wait_until(both, "both replicas to answer")


def test_a_revocation_holds_in_both(composed: Composed, api: Api, stub: clients_pb2_grpc.ClientsServiceStub) -> None:
    made = api.create()
    assert [authenticated(stub, _token(made)) for _ in range(10)] == [made["id"]] * 10
    assert api.request("POST", f"/clients/{made['id']}/disable").status_code == 200
    wait_until(lambda: {authenticated(stub, _token(made)) for _ in range(10)} == {""}, "every replica to deny it")


def test_events_are_sent_as_the_user_that_may(composed: Composed, api: Api) -> None:
    api.create()

    def sent() -> bool:
        told = composed._podman("exec", "edgeclients-2", "edgeclients", "events", "status").stdout
        return "waiting:      0" in told

    wait_until(sent, "no event to wait")


def test_the_health_checks_of_the_file_succeed(composed: Composed) -> None:
    assert {name: composed.health_of(name) for name in REPLICAS} == dict.fromkeys(REPLICAS, 0)


def test_calls_go_on_when_a_replica_is_killed(
    composed: Composed, api: Api, podman: Podman, stub: clients_pb2_grpc.ClientsServiceStub
) -> None:
    """Not one fails that changes nothing."""
    made = api.create()
    token, killed = _token(made), threading.Event()
    found: list[str] = []

    def call() -> None:
        while len(found) < 100 or not killed.is_set():
            assert api.listed() == [made["id"]]
            found.append(authenticated(stub, token))

    with ThreadPoolExecutor() as threads:
        calling = threads.submit(call)
        wait_until(lambda: len(found) > 10 or calling.done(), "calls")
        podman("kill", "--signal", "KILL", "edgeclients-1")
        at = len(found)
        wait_until(lambda: len(found) > at + 50 or calling.done(), "more calls")
        killed.set()
    calling.result()
    assert {*found} == {made["id"]}
    assert len(found) > at
    assert composed.replicas["edgeclients-1"].end() == 137

    composed.end("edgeclients-1")
    composed.start("edgeclients-1")

    def answers_again() -> bool:
        authenticated(stub, token)
        return composed.served_by("edgeclients-1") > 0

    wait_until(answers_again, "the load balancer to find it again")


def test_calls_go_on_while_a_replica_is_stopped_and_it_ends_with_0(
    composed: Composed, api: Api, stub: clients_pb2_grpc.ClientsServiceStub
) -> None:
    made = api.create()
    composed.replicas["edgeclients-2"].process.send_signal(signal.SIGTERM)
    while composed.replicas["edgeclients-2"].process.poll() is None:
        assert authenticated(stub, _token(made)) == made["id"]
    assert composed.replicas["edgeclients-2"].end() == 0
    composed.end("edgeclients-2")
    composed.start("edgeclients-2")


def test_the_load_balancer_can_have_a_certificate(folder: Path, tmp_path: Path) -> None:
    """As the page says: at the end of each line that listens."""
    pair = tmp_path / "pair.pem"
    pair.write_text("".join(Authority().sign("localhost")))
    text = (folder / "haproxy.cfg").read_text().replace("proto h2\n    # Brokers", "alpn h2\n    # Brokers")
    text = re.sub(r"^(    bind .*)$", rf"\1 ssl crt {pair}", text, flags=re.MULTILINE)
    (tmp_path / "haproxy.cfg").write_text(text)
    done = subprocess.run(["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Another architecture


def test_an_image_for_arm(artefacts: Path, podman: Podman, volume: str, tmp_path: Path) -> None:
    """Its programs run in qemu, which the kernel starts."""
    bundle = artefacts / f"edgeclients-{__version__}-linux-arm64.tar.xz"
    assert bundle.exists(), f"make it with packaging/build --arch arm64 --output {artefacts}"
    with emulating(ARCHITECTURES["arm64"]):
        done = _make(bundle, tmp_path)
        assert done.returncode == 0, done.stderr
        image = podman.load(tmp_path / f"edgeclients-{__version__}-arm64.oci.tar")
        assert podman.inspect(image)["Architecture"] == "arm64"
        assert podman.run(image, "version", options=("--platform", "linux/arm64")).stdout == f"{__version__}\n"
        with _gateway(podman, image, volume, "--platform", "linux/arm64") as service:
            with Api(service) as api:
                made = api.create(name="boiler")
            assert secret_works(service, made)
            assert service.stop() == 0


# What can go wrong with packaging/image


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder for results, and one for temporary files, which must be empty at the end."""
    output, temporary = tmp_path / "output", tmp_path / "temporary"
    output.mkdir()
    temporary.mkdir()
    yield output, temporary
    assert [*output.iterdir()] == [*temporary.iterdir()] == []


def _hidden(program: str) -> str:
    """A shell command that makes a program one that cannot be run."""
    return f"mount --bind /dev/null {program}" if Path(program).exists() else "true"


def _assert_refused(done: "subprocess.CompletedProcess[str]", line: str) -> None:
    assert done.returncode == 1
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.stderr.startswith("image: ")
    assert line in done.stderr


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("none.tar.xz", "is no bundle"),
        (f"edgeclients-{__version__}-linux-amd64.tar.gz", "is no bundle"),
        (f"edgeclients-{__version__}-linux-amd64.tar.xz", "there is no file"),
        (f"edgeclients-{__version__}-linux-armhf.tar.xz", "there is no file"),
    ],
)
def test_no_bundle(places: tuple[Path, Path], name: str, line: str, tmp_path: Path) -> None:
    output, temporary = places
    _assert_refused(_make(tmp_path / name, output, env={"TMPDIR": str(temporary)}), line)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("amd64", "half", "is not a bundle of packaging/build"),
        ("amd64", "none", "is not a bundle of packaging/build"),
        ("arm64", "other", "does not hold"),
        ("armhf", "whole", "images are made for amd64 and arm64"),
    ],
)
def test_a_damaged_bundle_or_another_one(
    places: tuple[Path, Path], bundle: Path, name: str, content: str, line: str, tmp_path: Path
) -> None:
    output, temporary = places
    whole = bundle.read_bytes()
    given = tmp_path / f"edgeclients-{__version__}-linux-{name}.tar.xz"
    given.write_bytes({"half": whole[: len(whole) // 2], "none": b"", "other": whole, "whole": whole}[content])
    _assert_refused(_make(given, output, env={"TMPDIR": str(temporary)}), line)


def test_no_podman(places: tuple[Path, Path], bundle: Path) -> None:
    output, temporary = places
    done = _make(bundle, output, _hidden("/usr/bin/podman"), env={"TMPDIR": str(temporary)})
    _assert_refused(done, "the program podman is needed: install Debian's package podman")


def test_no_qemu_for_another_architecture(places: tuple[Path, Path], tmp_path: Path) -> None:
    output, temporary = places
    name = f"edgeclients-{__version__}-linux-arm64"
    bundle = tmp_path / f"{name}.tar.xz"
    content = bytearray(Path(sys.executable).read_bytes())
    content[18] = ARCHITECTURES["arm64"].elf
    member = tarfile.TarInfo(f"{name}/edgeclients")
    member.size = len(content)
    with tarfile.open(bundle, "w:xz") as archive:
        archive.addfile(member, io.BytesIO(content))
    done = _make(bundle, output, _hidden("/usr/bin/qemu-aarch64-static"), env={"TMPDIR": str(temporary)})
    _assert_refused(done, "qemu-aarch64-static is needed: install Debian's package qemu-user-static")


def test_no_space_to_work_in(places: tuple[Path, Path], bundle: Path) -> None:
    output, temporary = places
    small = f"mount -t tmpfs -o size=300m none {temporary}"
    _assert_refused(_make(bundle, output, small, env={"TMPDIR": str(temporary)}), "make room")


def test_no_space_for_the_result(places: tuple[Path, Path], bundle: Path) -> None:
    output, temporary = places
    small = f"mount -t tmpfs -o size=20m none {output}"
    _assert_refused(_make(bundle, output, small, env={"TMPDIR": str(temporary)}), "make room")


def test_a_folder_that_cannot_be_written(places: tuple[Path, Path], bundle: Path) -> None:
    output, temporary = places
    fixed = f"mount --bind {output} {output} && mount -o remount,bind,ro {output}"
    done = _make(bundle, output, fixed, env={"TMPDIR": str(temporary)})
    _assert_refused(done, "choose a folder that can be written with --output")


def test_a_file_instead_of_a_folder(places: tuple[Path, Path], bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = _make(bundle, tmp_path / "file", env={"TMPDIR": str(places[1])})
    _assert_refused(done, "is not a folder: choose another one with --output")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(places: tuple[Path, Path], bundle: Path, how: signal.Signals) -> None:
    output, temporary = places
    process = subprocess.Popen(
        ["env", "--default-signal=INT", FOLDER / "image", "--bundle", bundle, "--output", output / "new"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: any(temporary.glob("*/storage")) or process.poll() is not None, "podman to begin")
    process.send_signal(how)
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (130, "image: interrupted\n")
