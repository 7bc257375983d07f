"""Draws the pictures of docs/statistics.md from the project's own code: `make figures`."""
