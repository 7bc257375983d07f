"""Checks the verdicts against simulated runs of known truth; prints the acceptance table."""
