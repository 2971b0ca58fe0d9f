"""The outcome of one check."""

from enum import StrEnum
from typing import NamedTuple, Self

from edgeclients.errors import StartError


class Status(StrEnum):
    """How bad it is; `severity` orders them."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"

    @property
    def severity(self) -> int:
        """0 for well, 1 for something to see to, 2 for something broken."""
        return list(Status).index(self)


class Check(NamedTuple):
    """What was found, and what to do about it; no advice where all is well."""

    name: str
    status: Status
    message: str
    advice: str = ""

    @classmethod
    def ok(cls, name: str, message: str) -> Self:
        """All is well."""
        return cls(name, Status.OK, message)

    @classmethod
    def warning(cls, name: str, message: str, advice: str) -> Self:
        """There is something to see to."""
        return cls(name, Status.WARNING, message, advice)

    @classmethod
    def broken(cls, name: str, message: str, advice: str) -> Self:
        """Something is broken."""
        return cls(name, Status.BROKEN, message, advice)

    @classmethod
    def failed(cls, name: str, error: StartError) -> Self:
        """Something is broken, as the error says, which ends with the advice."""
        message, colon, advice = str(error).rpartition(": ")
        return cls.broken(name, message, advice) if colon else cls.broken(name, advice, "see the log of the service")
