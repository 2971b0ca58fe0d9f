"""A secret is moved to another scheme while others present it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from edgeclients._pb.clients.v1 import clients_pb2, clients_pb2_grpc
from tests.support.api import Api, basic, of_domain
from tests.support.service import started


def test_nobody_is_denied_while_secrets_are_hashed_anew(tmp_path: Path) -> None:
    chosen = [f"chosen by a person {number}" for number in range(4)]
    with started(tmp_path / "data", {"MG_CLIENTS_ARGON2_PASSES": "1"}) as service, Api(service) as api:
        clients = [api.create(credentials={"secret": secret})["id"] for secret in chosen]
    with (
        started(tmp_path / "data", {"MG_CLIENTS_ARGON2_PASSES": "2"}) as service,
        grpc.insecure_channel(service.grpc) as channel,
    ):
        ask = clients_pb2_grpc.ClientsServiceStub(channel).Authenticate  # type: ignore[no-untyped-call]
        for client_id, secret in zip(clients, chosen, strict=True):
            tokens = [basic(client_id, secret), of_domain(api.domain, secret)] * 6
            with ThreadPoolExecutor(len(tokens)) as pool:
                answers = pool.map(lambda token: ask(clients_pb2.AuthnReq(token=token)).id, tokens)
                assert list(answers) == [client_id] * len(tokens)
