"""The fault language: what it reads, what it refuses and in which words."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staging.counters import ENDPOINTS
from staging.fault_spec import KINDS, FaultSpecError, parse
from staging.faults import (
    Capacity,
    Corrupt,
    Error,
    Hang,
    Latency,
    Leak,
    Memory,
    RateLimit,
    Reset,
    SlowBody,
    Stall,
    Truncate,
    describe,
)


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ("", ()),
        (" ; ;", ()),
        ("latency:ms=50", (Latency(mean_s=0.05),)),
        ("latency:ms=0.5s", (Latency(mean_s=0.5),)),
        ("latency@/updates/check:ms=50", (Latency(mean_s=0.05, endpoint="/updates/check"),)),
        ("latency:dist=exponential,mean=1.5s", (Latency(dist="exponential", mean_s=1.5),)),
        (
            "latency:dist=bimodal,fast=10ms,slow=1s,share=5%",
            (Latency(dist="bimodal", fast_s=0.01, slow_s=1.0, share=0.05),),
        ),
        (
            "latency:dist=lognormal,median=40ms,sigma=0.5,seed=7",
            (Latency(dist="lognormal", median_s=0.04, sigma=0.5, seed=7),),
        ),
        (
            "leak:from=20ms,to=32ms,over=8h",
            (Leak(from_s=0.02, growth_per_s=(0.032 - 0.02) / 28800, limit_s=0.032),),
        ),
        ("leak:from=20ms,rate=3.6s/h", (Leak(from_s=0.02, growth_per_s=3.6 / 3600),)),
        ("capacity:c=4,s=20ms", (Capacity(c=4, s_s=0.02),)),
        ("capacity:c=4,s=20ms,queue=0", (Capacity(c=4, s_s=0.02, queue=0),)),
        (
            "capacity:c=4,s=20ms; error:p=0.01,at=30s,for=10s",
            (Capacity(c=4, s_s=0.02), Error(p=0.01, at_s=30, for_s=10)),
        ),
        ("error@/health:status=503,p=1%", (Error(status=503, p=0.01, endpoint="/health"),)),
        ("hang", (Hang(),)),
        ("hang:", (Hang(),)),
        ("hang:at=1min", (Hang(at_s=60),)),
        ("stall:at=30s,for=10s", (Stall(at_s=30, for_s=10),)),
        ("reset:stage=mid-body", (Reset(stage="mid-body"),)),
        ("rate-limit:rate=60/min", (RateLimit(count=60, period_s=60),)),
        ("slow-body:rate=64KiB/s", (SlowBody(bytes_per_s=65536),)),
        ("truncate:keep=10%", (Truncate(keep=0.1),)),
        ("corrupt", (Corrupt(endpoint="/bundles/download"),)),
        (
            "memory:rate=60MiB/min,limit=1GiB",
            (Memory(bytes_per_s=1 << 20, limit_bytes=1 << 30),),
        ),
    ],
)
def test_a_spec_means(spec, faults):
    assert parse(spec) == faults


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "latancy:ms=5",
            "faults, column 1: no fault is called 'latancy'; did you mean 'latency'? one of: "
            + ", ".join(KINDS),
        ),
        (
            "hang; error:p=1%,statsu=500",
            "faults, column 18: error: no key 'statsu'; did you mean 'status'? one of: status, p, "
            "seed, at, for",
        ),
        (
            "leak:from=20,to=32ms,over=8h",
            "faults, column 6: leak: from: '20' has no unit; write a duration such as 20ms, 1.5s, "
            "10min or 8h",
        ),
        (
            "leak:from=20m,to=32ms,over=8h",
            "faults, column 6: leak: from: '20m' has an unknown unit 'm'; units: us, ms, s, min, h",
        ),
        (
            "error:p=101%",
            "faults, column 7: error: p: '101%' is more than the whole; write a share from 0 to 1 "
            "or 0% to 100%",
        ),
        (
            "error:p",
            "faults, column 7: error: 'p' is not key=value; keys: status, p, seed, at, for",
        ),
        ("error:p=1%,p=2%", "faults, column 12: error: p is given twice; keep one"),
        (
            "error:status=200",
            "faults, column 7: error: status: '200' is not an error status from 400 to 599",
        ),
        (
            "capacity:c=4",
            "faults, column 1: capacity: s missing; for instance capacity:c=4,s=20ms,queue=100",
        ),
        (
            "capacity:c=0,s=1s",
            "faults, column 10: capacity: c: '0' is not a whole number from 1 on",
        ),
        ("capacity:c=1,s=0s", "faults, column 14: capacity: s: '0s' must be above 0"),
        (
            "hang@/update/check",
            "faults, column 1: hang: no endpoint '/update/check' for it; did you mean "
            "'/updates/check'? one of: " + ", ".join(ENDPOINTS),
        ),
        (
            "corrupt@/health",
            "faults, column 1: corrupt: no endpoint '/health' for it; one of: /bundles/download",
        ),
        (
            "memory@/health:rate=1MiB/s",
            "faults, column 1: memory: belongs to the process; leave the @endpoint out",
        ),
        (
            "reset:stage=middle",
            "faults, column 7: reset: stage: 'middle' is unknown; one of: before, mid-body",
        ),
        (
            "latency:ms=5,sigma=1",
            "faults, column 1: latency: dist=constant takes mean, and not sigma; for "
            "instance latency:ms=50 or latency:dist=lognormal,median=40ms,p99=400ms",
        ),
        (
            "leak:from=1ms",
            "faults, column 1: leak: how fast it grows is either rate, or to and over together; "
            "for instance leak:from=20ms,to=32ms,over=8h or leak:from=20ms,rate=1.5ms/h",
        ),
        (
            "slow-body:rate=64KiB",
            "faults, column 11: slow-body: rate: '64KiB' is not a rate such as 64KiB/s or "
            "10MiB/min; periods: us, ms, s, min, h",
        ),
        (
            "truncate:keep=100%",
            "faults, column 10: truncate: keep: '100%' cuts nothing off; write a share below 100%",
        ),
    ],
)
def test_a_mistake_is_named_with_its_column_and_the_remedy(spec, message):
    with pytest.raises(FaultSpecError) as caught:
        parse(spec)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "spec",
    [
        "latency",
        "latency:dist=lognormal,median=5ms",
        "latency:dist=lognormal,median=5ms,sigma=1,p99=9ms",
        "latency:dist=lognormal,median=9ms,p99=5ms",
        "latency:ms=5,mean=5ms",
        "latency:ms=-5",
        "latency:ms=nan",
        "latency:ms=1e400",
        "latency:ms=999999999h",
        "leak:from=32ms,to=20ms,over=8h",
        "leak:from=1ms,to=2ms,rate=1ms/h",
        "rate-limit:rate=60",
        "slow-body:rate=0B/s",
        "hang:for=0s",
        "error@:p=1",
        "error:seed=0",
    ],
)
def test_nonsense_is_refused(spec):
    with pytest.raises(FaultSpecError):
        parse(spec)


_TOKENS = st.sampled_from(
    [
        *KINDS,
        *ENDPOINTS,
        *(key for kind in KINDS.values() for key in kind.keys),
        *("@", ":", "=", ",", ";", " ", "1", "0.5", "20ms", "1%", "2MiB", "/s", "at", "for", "é"),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_TOKENS, max_size=12).map("".join)))
def test_any_text_is_read_or_refused_and_nothing_else(spec):
    try:
        faults = parse(spec)
    except FaultSpecError as error:
        assert 1 <= error.column <= len(spec) + 1
    else:
        assert all(describe(faults))


@pytest.mark.parametrize("name", KINDS)
def test_every_faults_example_is_valid_and_can_be_described(name):
    for example in KINDS[name].example.split(" or "):
        (line,) = describe(parse(example))
        assert line.startswith(f"{name}: ")


def test_a_description_says_what_to_whom_and_when():
    spec = "capacity:c=4,s=20ms; error@/updates/check:p=1%,at=30s,for=10s; memory:rate=10MiB/min"
    assert describe(parse(spec)) == [
        "capacity: 4 servers of 20 ms (200 requests/s), an endless queue, "
        "on every endpoint but /health",
        "error: 1 % of requests, answered 500, on /updates/check, from 30 s on, for 10 s",
        "memory: memory grows by 10 MiB/min up to 1024 MiB",
    ]


def test_a_description_states_the_true_quantiles():
    (line,) = describe(parse("latency:dist=lognormal,median=40ms,p99=400ms"))
    assert "true p50 40 ms, p95 203.8 ms, p99 400 ms" in line


def test_the_reference_names_every_fault_and_key_and_its_examples_are_valid():
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()
    sections = dict(re.findall(r"### `([a-z-]+)`(.*?)(?=\n##|\Z)", page, flags=re.S))
    assert set(sections) == set(KINDS)
    for name, kind in KINDS.items():
        assert [key for key in kind.keys if f"`{key}`" not in sections[name]] == []
        examples = re.findall(rf"`({name}[@:][^`]+)`", sections[name])
        assert all(parse(example) for example in examples)
        assert examples
