"""Whether verdicts are true: simulated runs with known answers, judged by the real analysis."""
