"""Simulated runs that hold the verdicts against known answers."""
