"""Builds the callout that the settings name."""

import logging
import ssl

from edgeclients.callouts.http import CalloutConfiguration, HttpCallout
from edgeclients.errors import StartError
from edgeclients.operations import CALLOUTS
from edgeclients.ops import tls
from edgeclients.ops.reload import Reloading
from edgeclients.settings import Settings

_log = logging.getLogger(__name__)

_PREFIX = "MG_CLIENTS_CALLOUT"


def callout(settings: Settings, reloading: Reloading) -> HttpCallout | None:
    """The callout to the URLs of the settings; None without URLs or operations.

    Raises:
        StartError: an operation is unknown, or a certificate cannot be used.
    """
    unknown = sorted(set(settings.callout_operations) - CALLOUTS)
    if unknown:
        raise StartError(f"{_PREFIX}_OPERATIONS: {unknown[0]!r} is not an operation (valid: {', '.join(sorted(CALLOUTS))})")
    if not settings.callout_urls:
        return None
    if not settings.callout_operations:
        _log.warning("%s_URLS has no effect: %s_OPERATIONS is empty", _PREFIX, _PREFIX)
        return None
    configured = CalloutConfiguration(settings.callout_method, settings.callout_timeout, frozenset(settings.callout_operations))
    http = HttpCallout(settings.callout_urls, configured, _context(settings))
    named = {"CA_CERT": settings.callout_ca, "CERT": settings.callout_cert, "KEY": settings.callout_key}
    reloading.add({f"{_PREFIX}_{part}": text for part, text in named.items()}, lambda: _context(settings), http.use)
    return http


def _context(settings: Settings) -> ssl.SSLContext:
    return tls.caller_context(
        settings.callout_ca, settings.callout_cert, settings.callout_key, _PREFIX, verify=settings.callout_verify
    )
