"""Checks the verdicts against simulated runs whose truth is known, and prints the acceptance table."""
