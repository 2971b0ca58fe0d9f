"""Requests of nobody in particular, with patience, and without the TLS settings that each of httpx's would make anew."""

from typing import Any

import httpx

from tests.support.waiting import PATIENCE

TLS = httpx.create_ssl_context()  # takes longer than a test


def client(**kwargs: Any) -> httpx.Client:
    """A client that is patient."""
    return httpx.Client(**{"verify": TLS, "timeout": PATIENCE, **kwargs})


def request(method: str, url: str | httpx.URL, **kwargs: Any) -> httpx.Response:
    """A request over a connection of its own."""
    with client(verify=kwargs.pop("verify", TLS), timeout=kwargs.pop("timeout", PATIENCE)) as caller:
        return caller.request(method, url, **kwargs)


def get(url: str, **kwargs: Any) -> httpx.Response:
    """The same with GET."""
    return request("GET", url, **kwargs)
