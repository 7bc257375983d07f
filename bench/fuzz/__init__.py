"""A hostile server and generated answers against the HTTP client: `python -m bench.fuzz`."""
