"""Auth's signing keys and its JWKS document over HTTP, and tokens signed with them."""

import json
import threading
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.support.waiting import PATIENCE

_KINDS: dict[str, tuple[Any, Any]] = {
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, OKPAlgorithm),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), RSAAlgorithm),
}


class Key:
    """A key to sign with."""

    def __init__(self, kid: str = "", algorithm: str = "EdDSA") -> None:
        make, self._algorithm = _KINDS[algorithm]
        self.kid = kid or uuid.uuid4().hex
        self.name = algorithm
        self.private = make()

    def public(self) -> dict[str, Any]:
        """What the document says of it."""
        told: dict[str, Any] = json.loads(self._algorithm.to_jwk(self.private.public_key()))
        told.pop("key_ops", None)
        return {**told, "kid": self.kid, "use": "sig"}

    def sign(self, user_id: str, headers: Mapping[str, Any] = MappingProxyType({}), **claims: Any) -> str:
        """An access token of somebody; a claim that is None is left out."""
        now = int(time.time())
        told = {
            "sub": user_id, "iss": "magistrala.auth", "iat": now - 10, "nbf": now - 10, "exp": now + 600,
            "type": 0, "role": 1, "verified": True, **claims,
        }  # fmt: skip
        kept = {name: value for name, value in told.items() if value is not None}
        with_kid = {name: value for name, value in {"kid": self.kid, **headers}.items() if value is not None}
        return jwt.encode(kept, self.private, self.name, with_kid)


class KeyServer:
    """The document, at `url`."""

    def __init__(self, *keys: Key) -> None:
        self.keys = list(keys)
        self.fetches = 0
        self.status = 200
        self.body: bytes | None = None  # in place of the document
        self.gate: threading.Event | None = None  # it is not answered before
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.fetches += 1
                if server.gate is not None:
                    server.gate.wait(PATIENCE)
                self.send_response(server.status)
                self.end_headers()
                self.wfile.write(server.document())

            def log_message(self, *_: object) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/keys/.well-known/jwks.json"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def document(self) -> bytes:
        """What is answered."""
        return json.dumps({"keys": [key.public() for key in self.keys]}).encode() if self.body is None else self.body

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.gate is not None:
            self.gate.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
