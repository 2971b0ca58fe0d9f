"""The use cases. Nothing here knows a transport, a database or a framework."""
