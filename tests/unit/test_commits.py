"""The effects of a commit reach every listener, in order, whatever one of them does with them."""

import logging

import pytest

from edgeclients.model import Effects
from edgeclients.wiring.context import Commits


def test_a_listener_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    reached: list[str] = []

    def fail(_: Effects) -> None:
        reached.append("failing")
        raise RuntimeError("somebody else's")

    commits = Commits()
    commits.add(lambda _: reached.append("first"))
    commits.add(fail)
    commits.add(lambda _: reached.append("last"))
    commits(Effects(roles=True))
    assert reached == ["first", "failing", "last"]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "an effect of a commit failed")
    ]
