"""Recent answers of `Authenticate`."""
