"""The Auth service of a cloud: authentication and authorisation of callers (entry point `magistrala`)."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

from typing_extensions import override

from edgeclients.auth.callers import AuthTokens, Verifier
from edgeclients.auth.grants import Grants
from edgeclients.errors import StartError
from edgeclients.model import Identity
from edgeclients.peers.addresses import address_of
from edgeclients.peers.auth import AuthService
from edgeclients.peers.domains import DomainsService
from edgeclients.peers.link import Link
from edgeclients.ports import Authenticator, Operators
from edgeclients.settings import Settings


class Remote(Grants, Authenticator):
    """`ports.Authenticator` and `ports.Authorizer` with an Auth service.

    `links` are the links to the services in use, by name.

    Args:
        settings: the addresses of the services.
        now: the time for checking access tokens, in microseconds since 1970.

    Raises:
        StartError: a required package is not installed, or a certificate cannot be used.
    """

    def __init__(self, settings: Settings, now: Callable[[], int]) -> None:
        self._stack = AsyncExitStack()
        self.links: dict[str, Link] = {}
        auth = AuthService(self._linked(settings, "auth"))
        super().__init__(auth, DomainsService(self._linked(settings, "domains")) if settings.domains_grpc_url else None)
        verifier = self._verifier(settings.auth_jwks_url, now) if settings.auth_jwks_url else None
        self._callers = AuthTokens(auth, self.allows, verifier, unverified=settings.allow_unverified_user)

    async def __aenter__(self) -> Self:
        """The plug-in itself, which closes its connections at the end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @override
    async def authenticate(self, token: str) -> Identity:
        return await self._callers.authenticate(token)

    def _linked(self, settings: Settings, peer: str) -> Link:
        link = self.links[peer] = Link(address_of(settings, peer))
        self._stack.push_async_callback(link.close)
        return link

    def _verifier(self, url: str, now: Callable[[], int]) -> Verifier:
        try:
            from edgeclients.auth.jwks import Keys
            from edgeclients.auth.tokens import Tokens
        except ImportError as error:
            raise StartError(f"MG_AUTH_JWKS_URL needs {error.name}: install edgeclients[cloud]") from error
        keys = Keys(url)
        self._stack.push_async_callback(keys.close)
        return Tokens(keys, now)


def create(settings: Settings, operators: Operators) -> Remote:
    """The plug-in for the Auth service in the settings.

    Raises:
        StartError: the settings name none, or it cannot be used.
    """
    if not settings.auth_grpc_url:
        raise StartError("MG_AUTH_GRPC_URL is missing: the authenticator `magistrala` requires an Auth service")
    return Remote(settings, operators.now)
