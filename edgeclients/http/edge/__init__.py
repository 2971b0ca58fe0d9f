"""HTTP connections, and the checks of every request before routing."""
