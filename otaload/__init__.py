"""otaload: load tests for over-the-air update services, with honest verdicts."""

__version__ = "0.1.0"
