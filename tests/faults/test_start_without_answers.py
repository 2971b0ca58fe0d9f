"""A start while PostgreSQL goes silent, or away, after any part of what it is asked."""

from pathlib import Path

import pytest

from tests.support.on_postgres import Cloud
from tests.support.proxy import Proxy
from tests.support.service import Service, started

_PARTS = 6
_PLENTY = 1 << 30


def through(cloud: Cloud, way: Proxy) -> dict[str, str]:
    env = cloud.through(cloud.server._replace(host="127.0.0.1", port=way.port))
    return {**env, "MG_CLIENTS_DB_MAX_CONNECTIONS": "3"}


@pytest.fixture
def asked(cloud: Cloud, tmp_path: Path) -> list[int]:
    """Numbers of bytes, of those that the second start sends to the server."""
    with started(tmp_path / "first", cloud.env):
        pass
    with Proxy(cloud.server.port, freeze_after=_PLENTY) as way, started(tmp_path / "second", through(cloud, way)):
        assert way._left
        sent = _PLENTY - way._left
    return [sent * part // _PARTS for part in range(_PARTS)]


def test_it_goes_away(cloud: Cloud, asked: list[int], tmp_path: Path) -> None:
    for number in asked:
        with Proxy(cloud.server.port, freeze_after=number) as way:
            service = Service.launch(tmp_path / str(number), through(cloud, way))
            assert way.frozen.wait(60)
            way.cut()
            assert service.end() == 1, number
        told = [line["msg"] for line in service.lines if "level" not in line]
        assert len(told) == 1, service.lines
        assert told[0].startswith("edgeclients: "), service.lines


def test_it_goes_silent_and_the_start_is_given_up(cloud: Cloud, asked: list[int], tmp_path: Path) -> None:
    for number in asked:
        with Proxy(cloud.server.port, freeze_after=number) as way:
            service = Service.launch(tmp_path / str(number), through(cloud, way))
            assert way.frozen.wait(60)
            assert service.stop() == 0, number
        assert [line["msg"] for line in service.lines][-1:] == ["stopped before it was ready"], service.lines
