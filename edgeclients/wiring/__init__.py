"""The one place that knows every concrete class: `service` puts a running service together, `beside` what works beside it."""
