"""What each number in the report means; docs/report.md says it at length."""

DEFINITIONS = (
    (
        "Request",
        "One completed exchange as the user class timed it: from asking for it until its last "
        "byte, connecting included where it had to. It counts in the second it started.",
    ),
    (
        "Failure",
        "A request with an unexpected status, body, size or hash, or with no answer at all. Its "
        "latency is kept apart, so that a fast error cannot improve a percentile.",
    ),
    (
        "p50, p90, p95, p99",
        "The latency at rank ⌈q·n⌉ of the n successful requests, from one histogram of them all; "
        "within 0.39 %. Percentiles of parts are never averaged.",
    ),
    ("Max", "The slowest successful request, exact to the microsecond."),
    ("Error rate", "Failures divided by completed requests, successes and failures together."),
    (
        "Requests/s",
        "Completed requests divided by the seconds of the run or stage in which they started.",
    ),
    (
        "Arrivals",
        "With a planned rate, a request comes when it is due, whatever became of those before. One "
        "that finds no free user is missed: never sent, so no latency tells of it.",
    ),
    ("Bytes", "Bytes of bodies received, of successes and failures together."),
    (
        "Tier",
        "Below the pass limit: pass. Below the warning limit: warning. Above the fail limit: "
        "fail. In the gap between the last two: warning, and labelled so.",
    ),
    (
        "Margin",
        "Where a value lies among its tiers. In every bar the pass limit stands at 40 % of its "
        "width, the warning limit at 60 and the fail limit at 80; it ends at twice the fail limit, "
        "and what lies beyond an end is an arrowhead.",
    ),
    (
        "Heatmap",
        "A cell's colour is the stronger, the greater the share of its bin's successful requests "
        "that took so long. Its legend names the upper end of each shade.",
    ),
    (
        "Phase, judged",
        "The part that a stage plays. Thresholds judge all but the warm-up, the ramp-up that a run "
        "begins with, unless they name phases.",
    ),
    (
        "Bounds, proven",
        "Each bound holds with 95 % confidence: Clopper–Pearson for error rates, order statistics "
        "for percentiles, widened where requests of a minute depend on each other. A tier is "
        "proven if both bounds lie in it; the value alone picks the tier.",
    ),
    (
        "p99 drift",
        "The change of the p99 level, the median over windows of 5 minutes, from the first hour "
        "after 15 minutes of warm-up to the last hour. Judged in soak runs only.",
    ),
    (
        "Recovery",
        "The time from the end of a burst until p95 and errors are back in the baseline's band for "
        "10 s. The band ends at 1.10 × the median of the baseline's p95, or at its 99th percentile "
        "where that is higher; errors may be 0.1 %, or as many as the baseline had. Its p95 counts "
        "a request in every second in which it was in flight, those of the checks only once.",
    ),
    (
        "Limit, saturation",
        "The limit is the highest load that was held within all fail limits; saturation is where "
        "more load brings no more throughput. Either may come first.",
    ),
    (
        "Corrected",
        "A user that waits sends nothing. With a pacing P, a latency v above P also stands for "
        "v − P, v − 2P, … down to P, which the requests that were due would have measured.",
    ),
    (
        "Lost load",
        "With think times: the share of the users' time that went into waiting for answers beyond "
        "what the endpoint's took on average in the stage in which they were fastest.",
    ),
    (
        "Lag",
        "How late a timer of 50 ms woke at worst in a second. A late generator measures itself.",
    ),
    (
        "Production",
        "Contacted where a host that a request reached matches the production rules of "
        "targets.yaml. Not contacted where each host was held against them and none matched, or is "
        "the machine itself; not known where nothing held one against them.",
    ),
    ("CPU", "Processor time that a generator process used in a second, as a share of one core."),
)
