"""Who may call a running service besides its operator: made with the real command, each with a connection of their own."""

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tests.support.api import Api
from tests.support.commands import Ended, run
from tests.support.service import Service

ADMIN, MEMBER, OTHER, STRANGER = "ada", "mia", "max", "sam"
_TOWNS = 100  # domains given with one command


class Town(NamedTuple):
    """A domain that no other test uses, and who calls there."""

    domain: str
    operator: Api  # the standalone one
    admin: Api
    member: Api
    other: Api  # another member
    stranger: Api  # somebody's operator, but nobody here

    def everybody(self) -> dict[str, Api]:
        """All of them by what they are."""
        return {name: api for name, api in self._asdict().items() if isinstance(api, Api)}


class People:
    """The local operators of a service; commands must be ready to run."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.operator_id = service.operator_id
        self._free: list[str] = []
        self._operator = Api(service, user=self.operator_id)
        self._open = [self._operator]
        self._callers = {name: self.newcomer(user=name) for name in (ADMIN, MEMBER, OTHER)}
        self._callers[STRANGER] = self.newcomer({"elsewhere": "admin"}, user=STRANGER)

    def run(self, *arguments: str) -> Ended:
        """`edgeclients operators …`, which must succeed."""
        ended = run("operators", *arguments, data=self.service.data, env=self.service.env)
        assert ended.code == 0, ended
        return ended

    def newcomer(self, domains: Mapping[str, str] = MappingProxyType({}), user: str = "") -> Api:
        """Somebody new, with a token called `t`, calling in the first of these domains."""
        user = user or f"p-{uuid.uuid4().hex[:12]}"
        self.run("add", user, *_given(domains))
        caller = Api(self.service, next(iter(domains), ""), self.token(user), user)
        self._open.append(caller)
        return caller

    def token(self, user: str, name: str = "t", *arguments: str) -> str:
        """A new token of somebody."""
        return self.run("token", "add", user, name, *arguments).out.strip()

    def town(self) -> Town:
        """A new domain."""
        if not self._free:
            self._free = [f"t-{uuid.uuid4().hex[:12]}" for _ in range(_TOWNS)]
            for user, standing in ((ADMIN, "admin"), (MEMBER, "member"), (OTHER, "member")):
                self.run("change", user, *_given(dict.fromkeys(self._free, standing)))
        domain = self._free.pop()
        callers = [self._operator, *map(self._callers.__getitem__, (ADMIN, MEMBER, OTHER, STRANGER))]
        return Town(domain, *(caller.within(domain) for caller in callers))

    def close(self) -> None:
        """Hang up."""
        for caller in self._open:
            caller.close()


def _given(domains: Mapping[str, str]) -> list[str]:
    return [word for domain, standing in domains.items() for word in ("--domain", f"{domain}={standing}")]
