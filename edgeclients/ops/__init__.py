"""What keeps the service observable: logs, metrics, health."""
