"""The test data, and the check that it is there."""

import hashlib
import json

import pytest

from staging.errors import StagingError
from staging.launch import start
from staging.seed import Endpoints, Status, bundle_content, check, environment, seed
from staging.store import Store
from staging.verification import _check_user, _Target


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    yield store
    store.close()


def statuses(findings):
    return {finding.subject: finding.status for finding in findings}


def test_seeding_twice_changes_nothing(store):
    first = seed(store, bundle_bytes=1000)
    second = seed(store, bundle_bytes=1000)
    assert (first.changed, second.changed) == (True, False)
    assert [store.count(table) for table in ("users", "apps", "api_keys", "releases")] == [
        1,
        1,
        1,
        2,
    ]


def test_seeding_another_size_replaces_the_bundle(store):
    seed(store, bundle_bytes=1000)
    assert seed(store, bundle_bytes=2000).changed
    sizes = {len(bundle.content) for bundle in store.load_bundles().values()}
    assert sizes == {2000}


def test_each_release_can_have_a_size_of_its_own(store):
    seeded = seed(store, bundle_bytes=[10, 20, 30], releases=3)
    assert seeded.release_id == "test-release-003"
    assert sorted(len(b.content) for b in store.load_bundles().values()) == [10, 20, 30]


@pytest.mark.parametrize(("sizes", "releases"), [([1], 2), (0, 2), (10, 0)])
def test_sizes_that_do_not_fit_are_refused(store, sizes, releases):
    with pytest.raises(StagingError, match="do not fit"):
        seed(store, bundle_bytes=sizes, releases=releases)


def test_a_changed_bundle_file_is_noticed(store):
    seed(store, bundle_bytes=1000)
    next(store.bundle_dir.iterdir()).write_bytes(b"other")
    with pytest.raises(StagingError, match="missing or not the bundle"):
        store.load_bundles()


def test_bundle_content_is_the_same_everywhere():
    digest = hashlib.sha256(bundle_content("test-release-002", 1000)).hexdigest()
    assert digest == "ffb97d23080e5968781ffc1f5fe18225e38fe2bc028e357da5ef3a81c1e76796"


def test_the_password_is_not_stored(store):
    seed(store, bundle_bytes=10, password="very-secret")
    dump = "".join(str(row) for row in store._db.execute("SELECT * FROM users"))
    assert "very-secret" not in dump


def test_the_environment_has_the_four_variables():
    assert environment(base_url="http://x", release_id="r") == {
        "API_BASE_URL": "http://x",
        "LOAD_TEST_API_KEY": "otaload-embedded-key",
        "LOAD_TEST_APP_ID": "test-app-001",
        "LOAD_TEST_RELEASE_ID": "r",
    }


@pytest.mark.parametrize(
    "endpoints",
    [
        Endpoints(),
        Endpoints(download="/bundles/{app_id}/{release_id}/bundle.js"),
        Endpoints(download="/bundles/download?appId={app_id}&releaseId={release_id}"),
    ],
)
def test_a_seeded_service_passes_every_check(staging, endpoints):
    findings = check(
        staging.base_url,
        staging.api_key,
        staging.app_id,
        staging.release_id,
        endpoints=endpoints,
    )
    assert statuses(findings) == dict.fromkeys(("health", "app", "release", "user"), Status.OK)


@pytest.mark.parametrize(
    ("changes", "failed", "words"),
    [
        ({"api_key": "wrong"}, {"release"}, "LOAD_TEST_API_KEY"),
        ({"app_id": "wrong"}, {"app", "release"}, "does the app 'wrong' exist"),
        ({"release_id": "wrong"}, {"release"}, "LOAD_TEST_RELEASE_ID"),
    ],
)
def test_what_is_wrong_is_found_and_named(staging, changes, failed, words):
    names = ("base_url", "api_key", "app_id", "release_id")
    given = {name: getattr(staging, name) for name in names} | changes
    findings = check(**given)
    assert {s for s, status in statuses(findings).items() if status is Status.FAILED} == failed
    assert words in " ".join(str(finding) for finding in findings)


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ("corrupt:", "SHA-256"),
        ("truncate:", "IncompleteRead"),
        ("error@/bundles/download:status=404", "no bundle of"),
        ("error@/updates/check:status=500", "answered 500"),
    ],
)
def test_a_faulty_bundle_is_found(staging, faults, words):
    staging.set_faults(faults)
    findings = check(staging.base_url, staging.api_key, staging.app_id, staging.release_id)
    assert statuses(findings)["release"] is Status.FAILED
    assert words in " ".join(str(finding) for finding in findings)


def test_a_target_that_is_not_there_is_one_finding():
    (finding,) = check("http://127.0.0.1:1", "k", "a", "r", timeout_s=1)
    assert (finding.subject, finding.status) == ("health", Status.FAILED)


def test_the_key_does_not_follow_a_redirect_to_another_host():
    with start(faults="", bundle_bytes=1000, redirect_downloads="host") as staging:
        findings = check(staging.base_url, staging.api_key, staging.app_id, staging.release_id)
        counters = staging.counters()
    assert statuses(findings)["release"] is Status.OK
    assert counters["endpoints"]["/bundles/download"]["responses"] == {"200": 1, "302": 1}
    assert counters["keys_at_cdn"] == 0


def test_a_foreign_targets_user_is_not_verifiable():
    # By a name that is not the loopback's, the target could be anybody's.
    target = _Target("http://ota.invalid", "k", "a", "r", Endpoints(), 1.0, None)
    assert _check_user(target).status is Status.UNVERIFIABLE


def test_findings_are_readable(staging):
    findings = check(staging.base_url, staging.api_key, staging.app_id, staging.release_id)
    assert str(findings[1]) == "app: ok: test-app-001 offers test-release-002"
    assert json.dumps([finding.detail for finding in findings])
