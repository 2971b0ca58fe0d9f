"""Where lasting state is kept."""
