"""The HTTP wire format: JSON bodies, query parameters, error responses, OpenAPI descriptions."""
