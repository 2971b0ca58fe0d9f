"""Who calls, and who may: one module an authenticator, found by entry point (group `edgeclients.auth`)."""
