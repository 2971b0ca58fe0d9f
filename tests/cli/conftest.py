"""What runs the commands."""

from collections.abc import Iterator

import pytest

from tests.support.commands import ready_to_run


@pytest.fixture(scope="package", autouse=True)
def _commands() -> Iterator[None]:
    """Commands can be run."""
    with ready_to_run():
        yield
