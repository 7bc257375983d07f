"""What every test shares."""

# Before anything else: locust patches the process for gevent, and a late patch misses much.
import locust as _locust  # noqa: F401
