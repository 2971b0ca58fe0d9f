"""The files of packaging/ for containers: what they name exists, and they hold no secrets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from edgeclients import settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "packaging"
CONTAINERFILE = (FOLDER / "Containerfile").read_text()
HAPROXY = (FOLDER / "haproxy.cfg").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
KUBERNETES: list[dict[str, Any]] = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))
REPLICAS = ("edgeclients-1", "edgeclients-2")

SETTINGS = {field.variable.name: field for field in settings.fields()}
SECRETS = {name for name, field in SETTINGS.items() if field.variable.secret}


def _kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in KUBERNETES if one["kind"] == kind]


@pytest.fixture
def pod() -> dict[str, Any]:
    (deployment,) = _kind("Deployment")
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (one,) = pod["containers"]
    return dict(one)


def _of_image() -> dict[str, str]:
    return dict(re.findall(r"\b([A-Z][A-Z_]+)=([^\s\"]+)", CONTAINERFILE.partition("\nENV ")[2].partition("\n\n")[0]))


def _of_kubernetes() -> dict[str, str]:
    (deployment,) = _kind("Deployment")
    return {one["name"]: one["value"] for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}


def _environments() -> Iterator[tuple[str, dict[str, str]]]:
    yield "image", _of_image()
    yield "kubernetes", _of_kubernetes()
    yield from ((name, COMPOSE["services"][name]["environment"]) for name in REPLICAS)


ENVIRONMENTS = dict(_environments())


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_every_variable_is_a_setting(place: str) -> None:
    ours = [name for name in ENVIRONMENTS[place] if name.startswith("MG_")]
    assert ours
    assert [name for name in ours if name not in SETTINGS] == []


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_no_variable_holds_a_secret(place: str) -> None:
    assert SECRETS & ENVIRONMENTS[place].keys() == set()


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_the_settings_are_valid(place: str, tmp_path: Path) -> None:
    """With the image's, and with what stands in the files that are named."""
    for name in ("pepper", "token", "db-password", "db-ca.pem"):
        (tmp_path / name).write_text("a-value-of-some-length\n")
    for name in ("cache-url", "events-url"):
        (tmp_path / name).write_text("redis://user:password@redis:6379/0\n")
    given = {**_of_image(), **ENVIRONMENTS[place]}
    here = {name: re.sub(r"^(/run/secrets|/etc/edgeclients)/", f"{tmp_path}/", value) for name, value in given.items()}
    loaded = settings.load(here)
    assert settings.fault_of_token_file(loaded) == ""
    assert loaded.mode == ("gateway" if place == "image" else "cloud")
    assert loaded.http_host == loaded.grpc_host == "0.0.0.0"


def _user() -> int:
    (user, group) = re.findall(r"^USER (\d+):(\d+)$", CONTAINERFILE, re.MULTILINE)[0]
    assert user == group
    return int(user)


def test_the_user_of_the_image_is_a_number_and_not_root() -> None:
    assert _user() > 0
    assert f"COPY --chown={_user()}:{_user()} data/" in CONTAINERFILE
    assert re.findall(r"^USER = (\d+)", (FOLDER / "builder" / "context.py").read_text(), re.MULTILINE) == [str(_user())]


def test_commands_of_the_image_need_no_shell() -> None:
    commands = re.findall(r"^(?:HEALTHCHECK .* )?(?:ENTRYPOINT|CMD) (.*)$", CONTAINERFILE, re.MULTILINE)
    assert commands == ['["/usr/bin/edgeclients", "health"]', '["/usr/bin/edgeclients"]', '["serve"]']
    assert "HEALTHCHECK" in CONTAINERFILE
    assert re.findall(r"^RUN", CONTAINERFILE, re.MULTILINE) == []


def test_the_image_exposes_the_ports_of_the_settings() -> None:
    defaults = settings.Settings()
    assert f"EXPOSE {defaults.http_port}/tcp {defaults.grpc_port}/tcp" in CONTAINERFILE


# compose.yaml


def test_the_replicas_are_the_same() -> None:
    one, other = (COMPOSE["services"][name] for name in REPLICAS)
    assert one == other, "one pepper, one database, one Redis"


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_is_checked_restarted_and_names_what_exists(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert service["restart"] == "unless-stopped"
    assert {*service["networks"]} <= COMPOSE["networks"].keys()
    assert {*service.get("secrets", ())} <= COMPOSE["secrets"].keys()
    for other, condition in service.get("depends_on", {}).items():
        assert "healthcheck" in COMPOSE["services"][other]
        assert condition == {"condition": "service_healthy"}


def test_who_waits_for_whom() -> None:
    awaited = {name: {*service.get("depends_on", ())} for name, service in COMPOSE["services"].items()}
    assert awaited == {
        "haproxy": {*REPLICAS},
        **{name: {"postgres", "redis"} for name in REPLICAS},
        "postgres": set(),
        "redis": set(),
    }


def test_every_secret_of_compose_is_a_file_that_a_service_reads() -> None:
    texts = {name: str(service) for name, service in COMPOSE["services"].items()}
    for secret, source in COMPOSE["secrets"].items():
        assert source == {"file": f"./secrets/{secret}"}
        readers = [name for name, service in COMPOSE["services"].items() if secret in service.get("secrets", ())]
        assert readers
        assert all(f"/run/secrets/{secret}" in texts[name] for name in readers)
    assert not (FOLDER / "secrets").exists() or "/packaging/secrets/" in (ROOT / ".gitignore").read_text()


def test_no_password_is_in_compose() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"PASS|TOKEN|SECRET|KEY", name) or value.startswith("/run/secrets/")
    assert not re.search(r"://[^/\s]*:[^/\s]*@", (FOLDER / "compose.yaml").read_text())


@pytest.mark.parametrize("name", REPLICAS)
def test_a_replica_may_do_little(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "ports" not in service, "callers go through the load balancer"


def test_the_load_balancer_asks_the_replicas_at_their_ports() -> None:
    defaults = settings.Settings()
    servers = re.findall(r"^    server (\S+) (\S+):(\d+)(.*)$", HAPROXY, re.MULTILINE)
    ports = {defaults.http_port: "maxconn", defaults.grpc_port: f"proto h2 check-proto h1 port {defaults.http_port}"}
    assert sorted((name, host, int(port)) for name, host, port, _ in servers) == sorted(
        (name, name, port) for name in REPLICAS for port in ports
    )
    assert all(ports[int(port)] in options for _, _, port, options in servers)
    published = COMPOSE["services"]["haproxy"]["ports"]
    assert [f":{one.partition(':')[2]}" in HAPROXY for one in published] == [True, True]
    assert COMPOSE["services"]["haproxy"]["volumes"] == ["./haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro"]


# kubernetes.yaml


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("resource", KUBERNETES, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_kubernetes_accepts_it(resource: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(resource, version, strict=True)


def test_kubernetes_would_refuse_a_slip() -> None:
    resource = {**_kind("Service")[0], "specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(resource, "1.30", strict=True)


def test_what_is_there() -> None:
    assert sorted(one["kind"] for one in KUBERNETES) == ["Deployment", "PodDisruptionBudget", "Service", "Service"]


def test_every_selector_finds_the_replicas() -> None:
    (deployment,), (budget,) = _kind("Deployment"), _kind("PodDisruptionBudget")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == budget["spec"]["selector"]["matchLabels"] == labels
    assert all(service["spec"]["selector"] == labels for service in _kind("Service"))
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert all(one["labelSelector"]["matchLabels"] == labels for one in spread)
    assert deployment["spec"]["replicas"] > budget["spec"]["maxUnavailable"]


def test_ports_have_the_names_that_others_use(container: dict[str, Any]) -> None:
    defaults = settings.Settings()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": defaults.http_port, "grpc": defaults.grpc_port}
    assert all(port["targetPort"] in ports for service in _kind("Service") for port in service["spec"]["ports"])


def test_probes_ask_the_routes_of_the_service(container: dict[str, Any]) -> None:
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert asked == {
        "startup": {"path": "/health", "port": "http"},
        "liveness": {"path": "/health", "port": "http"},
        "readiness": {"path": "/ready", "port": "http"},
    }


def test_a_pod_may_do_little(pod: dict[str, Any], container: dict[str, Any]) -> None:
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), _user()),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert container["resources"].keys() == {"requests", "limits"}


def test_secrets_are_files(pod: dict[str, Any], container: dict[str, Any]) -> None:
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert {volume["name"] for volume in pod["volumes"]} == mounts.keys()
    secret = next(volume["secret"] for volume in pod["volumes"] if volume["name"] == "secrets")
    assert secret["defaultMode"] == 0o440, "for fsGroup, and for nobody else"
    assert mounts["secrets"]["readOnly"]
    assert all("valueFrom" not in one for one in container["env"])


def test_the_pod_has_longer_to_end_than_the_service_takes(pod: dict[str, Any], container: dict[str, Any]) -> None:
    most = 15  # seconds: edgeclients/README.md#start-and-stop, and what workers take beyond
    assert pod["terminationGracePeriodSeconds"] > container["lifecycle"]["preStop"]["sleep"]["seconds"] + most
