"""What a run means: thresholds, checks, intervals, drift, and the verdict that joins them.

Nothing here imports locust, whose import patches the process; `thresholds`, `judge` and `verdict`
need neither pandas nor matplotlib, since the live side uses them too.
"""
