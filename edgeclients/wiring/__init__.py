"""The composition root, which knows every concrete class: `service` builds the service, `administration` offline commands."""
