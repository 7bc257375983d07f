"""The embedded service under test: an over-the-air update service with faults of known size.

It speaks the same wire contract as the real one, over a real SQLite database and real bundle
files, in a process of its own.  It imports nothing of the other packages of the project.
"""
