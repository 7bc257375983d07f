"""Verdicts on simulated runs with known answers: the acceptance table."""
