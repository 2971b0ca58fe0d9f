"""Authentication and authorisation of callers: one module per authenticator, found by entry point (`edgeclients.auth`)."""
