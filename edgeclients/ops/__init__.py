"""Operation of the service: logs, metrics, traces, health, certificates, listening sockets, worker processes."""
