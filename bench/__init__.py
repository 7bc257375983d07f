"""Benchmarks, run by `python -m bench`: ratios measured here and now, never figures from memory."""
