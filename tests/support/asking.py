"""Requests of nobody in particular, with patience, and without the TLS settings that each of httpx's would make anew."""

from typing import Any

import httpx

from tests.support.waiting import PATIENCE

TLS = httpx.create_ssl_context()  # takes longer than a test


def request(method: str, url: str | httpx.URL, **kwargs: Any) -> httpx.Response:
    """A request over a connection of its own."""
    with httpx.Client(verify=kwargs.pop("verify", TLS), timeout=kwargs.pop("timeout", PATIENCE)) as client:
        return client.request(method, url, **kwargs)


def get(url: str, **kwargs: Any) -> httpx.Response:
    """The same with GET."""
    return request("GET", url, **kwargs)
