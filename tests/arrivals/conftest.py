"""Imports locust before anything else: it patches the process, and a late patch misses much."""

import locust as _locust  # noqa: F401
