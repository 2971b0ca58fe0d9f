"""Build the executables by packaging/build, and use the one-directory bundle as an operator and a broker would."""

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from edgeclients import __version__
from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from edgeclients.core.events import STREAMS
from tests.support import labels
from tests.support.api import Api, basic
from tests.support.cloud.plant import Plant
from tests.support.cloud.server import Cloud as Auth
from tests.support.cloud.world import World
from tests.support.collector import collecting
from tests.support.on_postgres import cloud_on
from tests.support.postgres import server
from tests.support.program import run_tests, unpacked
from tests.support.redis import RedisServer
from tests.support.service import Service, environment
from tests.support.streams import GAP

ROOT = Path(__file__).resolve().parent.parent
BUILD_SECONDS = 900
CALL_SECONDS = 30
CHOSEN = "chosen by a person"
PAGES = {
    "/ready": '"ready"',
    "/metrics": "clients_authenticate_hits",
    "/openapi.json": '"openapi"',
    "/docs": "swagger-ui",
    "/docs/start.js": "SwaggerUIBundle",
    "/docs/swagger-ui.css": ".swagger-ui",
    "/docs/swagger-ui-bundle.js": "SwaggerUIBundle",
}


class BundleError(Exception):
    """The bundle, or building it, is not as it should be."""


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="edgeclients-bundle-") as scratch:
        try:
            need_binutils()
            program = build(Path(scratch))
            use(program, Path(scratch) / "data")
            test(program)
        except (AssertionError, BundleError, OSError, httpx.HTTPError, subprocess.SubprocessError) as error:
            sys.exit(f"check_bundle: {error}")
        except grpc.RpcError as error:
            sys.exit(f"check_bundle: gRPC answered {error.code()}: {error.details()}")
        except queue.Empty:
            sys.exit("check_bundle: the bundle runs but does not become ready")
    print("the bundle works")


def need_binutils() -> None:
    """PyInstaller tells binaries by objdump, and takes their symbols away with strip."""
    if shutil.which("objdump") and shutil.which("strip"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BundleError("objdump and strip are needed: install binutils")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "binutils"]
    if subprocess.run(install, env=quiet, check=False).returncode:
        subprocess.run(["apt-get", "update", "--quiet"], env=quiet, check=True)
        subprocess.run(install, env=quiet, check=True)


def build(scratch: Path) -> Path:
    """The program in a bundle made below `scratch`."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, ROOT / "packaging" / "build", "--output", scratch / "dist"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    print(done.stdout, end="")
    warnings = [line for line in done.stdout.splitlines() if not line.startswith("edgeclients-")]
    if done.returncode or warnings:
        raise BundleError(f"packaging/build ended with {done.returncode}, and should have nothing to say but sizes")
    print(f"built in {time.monotonic() - began:.1f} s")
    (archive,) = (scratch / "dist").glob("*.tar.xz")
    return unpacked(archive, scratch) / "edgeclients"


def use(program: Path, data: Path) -> None:
    expect("edgeclients version", run(program, "version"), __version__)
    with serving(program, data, "first start") as service:
        look_around(service)
        tokens = create(service)
        authenticate(service, tokens)
        ask_over_grpc(service)
        port = str(urlsplit(service.http).port)
        expect("edgeclients health", run(program, "health", data, port), "healthy")
        keep_operators(program, service)
    with serving(program, data, "second start") as service:
        authenticate(service, tokens)
    make_labels(program, data.parent / "labels")
    send_events(program, data)
    send_traces(program, data)
    serve_a_cloud(program, data, tokens)


@contextlib.contextmanager
def serving(program: Path, data: Path, name: str, env: Mapping[str, str] = MappingProxyType({})) -> Iterator[Service]:
    """The bundle's service; SIGTERM has to end it."""
    with httpx.Client(timeout=CALL_SECONDS) as client:
        began = time.monotonic()
        service = Service.launch(data, env, command=[str(program), "serve"])
        try:
            answer = client.get(f"{service.wait_ready().http}/health")
            print(f"{name}: first answer after {(time.monotonic() - began) * 1000:.0f} ms")
            expect("/health", (answer.status_code, answer.json().get("status")), (200, "pass"))
            yield service
            expect("the exit code after SIGTERM", service.stop(), 0)
        finally:
            if service.process.poll() is None:
                service.kill()
                print(f"{name} went wrong; the last of its log:", *service.lines[-5:], sep="\n  ", file=sys.stderr)


def run(
    program: Path, command: str, data: Path = Path("none"), port: str = "0", env: Mapping[str, str] = MappingProxyType({})
) -> str:
    """What a command that succeeds prints."""
    env = environment(data, {"MG_CLIENTS_HTTP_PORT": port, **env})
    arguments = [program, *command.split()]
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=CALL_SECONDS, check=False)
    if done.returncode:
        raise BundleError(f"edgeclients {command} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def look_around(service: Service) -> None:
    with httpx.Client(base_url=service.http, timeout=CALL_SECONDS) as client:
        for path, part in PAGES.items():
            answer = client.get(path)
            if answer.status_code != httpx.codes.OK or part not in answer.text:
                raise BundleError(f"{path} answered {answer.status_code}, or without {part!r}: {answer.text[:200]}")


def create(service: Service) -> dict[str, str]:
    """Two clients' tokens, each with its client's id: of a secret made by the service, and of a chosen one."""
    with Api(service) as api:
        made = api.create(name="made")
        chosen = api.create(name="chosen", credentials={"secret": CHOSEN})
    return {
        basic(made["id"], made["credentials"]["secret"]): made["id"],
        basic(chosen["id"], CHOSEN): chosen["id"],
    }


def authenticate(service: Service, tokens: dict[str, str]) -> None:
    with grpc.insecure_channel(service.grpc) as channel:
        stub = clients_pb2_grpc.ClientsServiceStub(channel)
        for token, client_id in tokens.items():
            answer = stub.Authenticate(clients_pb2.AuthnReq(token=token), timeout=CALL_SECONDS)
            expect("Authenticate", (answer.authenticated, answer.id), (True, client_id))


def keep_operators(program: Path, service: Service) -> None:
    """A local operator's token works as soon as it is made, and no longer than it is there."""
    run(program, "operators add bob --domain plant-7=member", service.data)
    token = run(program, "operators token add bob bundle", service.data)
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=service.http, headers=headers, timeout=CALL_SECONDS) as client:
        expect("a list for a local operator", client.get("/plant-7/clients").status_code, 200)
        run(program, "operators remove bob", service.data)
        expect("a list for nobody", client.get("/plant-7/clients").status_code, 401)


def make_labels(program: Path, folder: Path) -> None:
    """A camera reads from sheets what the file of secrets says."""
    folder.mkdir()
    line = labels.client(external_id="SN-1", name="Größe Насос")
    secrets = labels.write_secrets(folder / "secrets.csv", [line])
    for name in ("labels.pdf", "labels.png"):
        told = run(program, f"labels {secrets} --out {folder / name} --template {{id}}:{{secret}}")
        expect("edgeclients labels", told, f"{folder / name}: 1 label on 1 page")
        expect(f"the code in {name}", labels.texts(folder / name), [f"{line['id']}:{line['secret']}"])
    expect("the texts of a PDF", labels.printed(folder / "labels.pdf").split("\r\n"), ["SN-1", "Größe Насос"])


def send_events(program: Path, data: Path) -> None:
    """A stream is told how much has happened without one, and of what happens from now on."""
    with RedisServer() as redis:
        with (
            serving(program, data, "third start", {"MG_CLIENTS_ES_URL": redis.address}) as service,
            Api(service) as api,
        ):
            api.create(name="streamed")
            redis.wait_for(len(STREAMS) + 1)
        gap, created = [one.event for one in redis.entries("client.create")]
        expect("the first events", (gap["operation"], created["name"]), (GAP, "streamed"))
    if "waiting:      0" not in run(program, "events status", data):
        raise BundleError("events that were sent still wait")


def send_traces(program: Path, data: Path) -> None:
    """What is done is a span, sent before the end at the latest."""
    with collecting() as collector:
        with serving(program, data, "start with traces", {"MG_JAEGER_URL": collector.url}) as service, Api(service) as api:
            api.create(name="traced")
        expect("spans of a create", len(collector.named("create_client")), 1)


def serve_a_cloud(program: Path, gateway: Path, tokens: dict[str, str]) -> None:
    """What a gateway had moves to shared parts, served in two processes: with a named operator, then with an Auth service."""
    folder = gateway.parent / "cloud"
    folder.mkdir()
    with server() as postgres, cloud_on(postgres, folder) as cloud, RedisServer() as redis:
        pepper, place = folder / "moved.pepper", f"postgres://{postgres.user}@{postgres.host}:{postgres.port}/{cloud.name}"
        told = run(program, f"move --to {place} --pepper {pepper}", gateway, env={"MG_CLIENTS_DB_PASS": postgres.password})
        expect("the end of moving", told.splitlines()[-1], "Every row was compared.")
        shared = {
            **cloud.storage,
            "MG_CLIENTS_PEPPER_FILE": str(pepper),
            "MG_CLIENTS_WORKERS": "2",
            "MG_CLIENTS_CACHE_URL": redis.address,
            "MG_CLIENTS_ES_URL": redis.address,
        }
        with serving(program, folder / "data", "start in cloud mode", {**cloud.env, **shared}) as service:
            expect("workers", service.ready.get("workers"), 2)
            tokens |= create(service)
            authenticate(service, tokens)
            redis.wait_for(3)  # one had not left the gateway
        with Auth(World()) as auth:
            asking = {**shared, "MG_AUTH_GRPC_URL": auth.address, "MG_AUTH_GRPC_TIMEOUT": "20s"}
            with serving(program, folder / "data", "start with an Auth service", asking) as service:
                authenticate(service, tokens)
                plant = Plant(service, auth)
                expect("the clients of a new domain", plant.root.request("GET", "/clients").json()["total"], 0)
                plant.root.create(name="made in the cloud")
                plant.close()


def ask_over_grpc(service: Service) -> None:
    with grpc.insecure_channel(service.grpc) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)
        expect("grpc.health.v1", answer.status, health_pb2.HealthCheckResponse.SERVING)
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
        if "clients.v1.ClientsService" not in services:
            raise BundleError(f"gRPC reflection tells only of {', '.join(services)}")


def test(program: Path) -> None:
    """What only the bundle can get wrong; `tests/ship/suites.py` runs all suites."""
    files = [str(ROOT / "tests" / "cli" / name) for name in ("executable.py", "test_authorities.py", "test_plugin.py")]
    done = run_tests(program, ["-q", *files])
    if done.returncode:
        raise BundleError(f"its tests fail:\n{done.stdout}")


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise BundleError(f"{what} should be {wanted!r}, and is {found!r}")


if __name__ == "__main__":
    main()
