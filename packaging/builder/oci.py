"""Writes an image as an archive in OCI's layout, the same bytes for the same image.

The layout holds an image in Docker's format: OCI's own has no HEALTHCHECK, and podman shows none that it finds there. `docker
load` reads the list `manifest.json` beside it.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from builder.containers import Image

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
# What podman adds is about the container that it built in.
_KEPT = {"created", "architecture", "os", "variant", "rootfs", "history"}
_ABOUT_THE_BUILD = {"Hostname", "Domainname", "Image", "OnBuild", "AttachStdin", "AttachStdout", "AttachStderr", "Tty"} | {
    "OpenStdin",
    "StdinOnce",
}


def write_archive(image: Image, name: str, path: Path) -> None:
    """Write `image` under the name `name` to the file `path`."""
    archive = _Archive()
    config = archive.add(_CONFIG, _json(_settled(image.config)))
    layers = [archive.add(_LAYER, layer.read_bytes()) for layer in image.layers]
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
    annotations = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
    platform = {"architecture": image.config["architecture"], "os": image.config["os"]}
    listed = {**archive.add(_MANIFEST, _json(manifest)), "annotations": annotations, "platform": platform}
    for_docker = {"Config": _place(config), "RepoTags": [name], "Layers": [_place(layer) for layer in layers]}
    archive.files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    archive.files["index.json"] = _json({"schemaVersion": 2, "manifests": [listed]})
    archive.files["manifest.json"] = _json([for_docker])
    archive.write(path)


class _Archive:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def add(self, kind: str, content: bytes) -> dict[str, Any]:
        """Add content under its sum; returns its descriptor."""
        descriptor = {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
        self.files[_place(descriptor)] = content
        return descriptor

    def write(self, path: Path) -> None:
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in sorted(self.files.items()):
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))


def _settled(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what differs from build to build."""
    settled = {key: value for key, value in config.items() if key in _KEPT}
    return {**settled, "config": {key: value for key, value in config["config"].items() if key not in _ABOUT_THE_BUILD}}


def _place(descriptor: dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
