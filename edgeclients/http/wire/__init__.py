"""HTTP on the wire: JSON shapes, query parameters, descriptions."""
