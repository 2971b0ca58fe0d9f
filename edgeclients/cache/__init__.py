"""Recent results of `Authenticate`."""
