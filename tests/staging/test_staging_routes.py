"""Each route, as the wire contract has it."""

import hashlib
import time
from urllib.parse import urlsplit

import pytest

from staging.launch import start
from staging.seed import bundle_content


def test_health_answers_healthy_at_the_origin(client):
    answer = client.request("GET", "/health")
    assert (answer.status, answer.json()) == (200, {"status": "healthy"})


def test_a_device_that_says_nothing_is_offered_the_newest_release(client, staging):
    release = client.check().json()["release"]
    content = bundle_content(staging.release_id, 300_000)
    assert release == {
        "version": "1.0.2",
        "bundleUrl": staging.base_url + client.template,
        "bundleSize": 300_000,
        "bundleHash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "releaseId": "test-release-002",
        "releaseNotes": "Test release 2",
    }


@pytest.mark.parametrize(
    ("version", "hash_of", "offered"),
    [
        pytest.param("1.0.2", None, False, id="the newest version"),
        pytest.param("1.0.1", None, True, id="an older version"),
        pytest.param(None, "test-release-002", False, id="the newest hash"),
        pytest.param(None, "test-release-001", True, id="an older hash"),
        pytest.param("1.0.2", "test-release-002", False, id="both newest"),
        pytest.param("1.0.1", "test-release-002", True, id="the version disagrees"),
    ],
)
def test_an_update_is_offered_to_whoever_has_another_bundle(client, version, hash_of, offered):
    size = {"test-release-001": 299_999, "test-release-002": 300_000}
    changes = {"currentBundleVersion": version} if version else {}
    if hash_of:
        digest = hashlib.sha256(bundle_content(hash_of, size[hash_of])).hexdigest()
        changes["currentBundleHash"] = digest.upper()
    assert client.check(**changes).json()["updateAvailable"] is offered


def test_a_channel_without_a_release_offers_nothing(client):
    assert client.check(channel="beta").json() == {"updateAvailable": False}


def test_registering_answers_201_with_a_token_that_the_check_accepts(client):
    answer = client.register()
    assert answer.status == 201
    assert answer.json()["expiresAt"] > time.time() * 1000
    token = answer.json()["accessToken"]
    assert client.check({"Authorization": f"Bearer {token}"}).status == 200


def test_registering_twice_leaves_one_device(client, staging):
    client.register(deviceId="twice")
    before = staging.state()["devices"]
    client.register(deviceId="twice")
    assert staging.state()["devices"] == before


@pytest.mark.parametrize("token", ["Bearer nonsense", "Bearer a.b", "Basic x", "Bearer é.ü"])
def test_an_invalid_token_at_the_check_is_401(client, token):
    answer = client.check({"Authorization": token})
    assert (answer.status, answer.json()["error"]) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"appId": ...}, ["appId"]),
        ({"appId": 7}, ["appId"]),
        ({"deviceId": ""}, ["deviceId"]),
        ({"deviceId": "x" * 101}, ["deviceId"]),
        ({"platform": "windows"}, ["platform"]),
        ({"platform": ["ios"]}, ["platform"]),
        ({"appVersion": None}, ["appVersion"]),
        ({"channel": 1}, ["channel"]),
        ({"currentBundleHash": 1}, ["currentBundleHash"]),
        ({"deviceInfo": []}, ["deviceInfo"]),
        ({"deviceInfo": {"locale": 1}}, ["deviceInfo", "locale"]),
    ],
)
def test_a_wrong_field_is_400_in_the_validation_shape(client, changes, path):
    answer = client.check(**changes)
    assert answer.status == 400
    assert answer.json()["success"] is False
    assert [issue["path"] for issue in answer.json()["error"]["issues"]] == [path]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_body_that_is_no_object_is_400(client, body):
    for path in ("/updates/check", "/devices/register"):
        answer = client.request("POST", path, body)
        assert (answer.status, answer.json()["success"]) == (400, False)


def test_a_device_id_of_100_characters_is_accepted(client):
    assert client.check(deviceId="x" * 100).status == 200


def test_a_body_that_is_too_long_is_413(client):
    assert client.request("POST", "/updates/check", b" " * 200_000).status == 413


def test_an_unknown_app_is_404_in_the_error_shape(client):
    for answer in (client.check(appId="other"), client.register(appId="other")):
        assert (answer.status, answer.json()["error"]) == (404, "APP_NOT_FOUND")


def test_unknown_paths_are_404_and_wrong_methods_405(client):
    assert client.request("GET", "/nothing").json()["error"] == "NOT_FOUND"
    answer = client.request("GET", "/updates/check")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert client.request("POST", "/health").status == 405


def test_all_three_ways_lead_to_the_same_bytes(client):
    offered = urlsplit(client.check().json()["release"]["bundleUrl"]).path
    bodies = {
        client.request("GET", path, headers=client.key).body
        for path in (offered, client.fixed, client.template)
    }
    assert bodies == {bundle_content("test-release-002", 300_000)}


def test_a_bundle_is_immutable_and_has_length_and_etag(client):
    headers = client.download().headers
    assert headers["content-length"] == "300000"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    digest = hashlib.sha256(bundle_content("test-release-002", 300_000)).hexdigest()
    assert headers["etag"] == f'"{digest}"'


def test_a_bundle_that_the_client_has_is_304_without_a_body(client):
    etag = client.download().headers["etag"]
    for tags in (etag, f'"x", W/{etag}', "*"):
        answer = client.download(If_None_Match=tags)
        assert (answer.status, answer.body) == (304, b"")
    assert client.download(If_None_Match='"x"').status == 200


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-9", slice(0, 10), "bytes 0-9/300000"),
        ("bytes=299990-", slice(299_990, None), "bytes 299990-299999/300000"),
        ("bytes=-5", slice(-5, None), "bytes 299995-299999/300000"),
        ("bytes=5-9999999", slice(5, None), "bytes 5-299999/300000"),
    ],
)
def test_a_range_is_206(client, asked, part, content_range):
    answer = client.download(Range=asked)
    assert (answer.status, answer.headers["content-range"]) == (206, content_range)
    assert answer.body == bundle_content("test-release-002", 300_000)[part]


@pytest.mark.parametrize("asked", ["bytes=300000-", "bytes=9-3", "bytes=-0"])
def test_a_range_outside_the_bundle_is_416(client, asked):
    answer = client.download(Range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */300000")


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=-"])
def test_a_range_that_is_not_understood_gets_the_whole(client, asked):
    assert client.download(Range=asked).status == 200


def test_a_range_of_another_version_gets_the_whole(client):
    assert client.download(Range="bytes=0-9", If_Range='"other"').status == 200


def test_head_has_the_length_and_no_body(client):
    answer = client.request("HEAD", client.fixed, headers=client.key)
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "300000", b"")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_a_download_without_the_key_is_401(client, headers):
    for path in (client.fixed, client.template):
        answer = client.request("GET", path, headers=headers)
        assert (answer.status, set(answer.json())) == (401, {"error", "message"})


def test_a_download_of_nothing_known_is_404(client):
    for app, release, code in (
        ("test-app-001", "no", "RELEASE_NOT_FOUND"),
        ("no", "no", "APP_NOT_FOUND"),
    ):
        answer = client.request("GET", f"/bundles/{app}/{release}/bundle.js", headers=client.key)
        assert (answer.status, answer.json()["error"]) == (404, code)
    assert client.request("GET", "/bundles/download", headers=client.key).status == 404


def test_admin_pages_that_do_not_exist_are_404(client):
    assert client.request("GET", "/__admin/nothing", base="").status == 404


def test_a_service_with_every_option_keeps_the_contract_below_its_base_path(client_of):
    with start(
        faults="",
        base_path="/v1",
        bundle_bytes=1000,
        redirect_downloads="host",
        mau_limit=2,
        rate_limits=True,
    ) as staging:
        client = client_of(staging)
        assert staging.base_url.endswith("/v1")
        assert client.request("GET", "/health", base="").status == 200
        assert client.request("GET", "/health").status == 404

        redirect = client.download()
        location = urlsplit(redirect.headers["location"])
        assert (redirect.status, location.hostname) == (302, "localhost")
        path = f"{location.path}?{location.query}"
        assert client.request("GET", path, base="").body == bundle_content(staging.release_id, 1000)
        assert client.request("GET", path + "0", base="").status == 403
        client.request("GET", path, headers=client.key, base="")
        assert staging.counters()["keys_at_cdn"] == 1
        downloads = client.counts("/bundles/download")
        assert downloads["responses"] == {"200": 2, "302": 1, "403": 1}

        answers = [client.register({"X-Device-ID": "a"}, deviceId="a") for _ in range(11)]
        assert [answer.status for answer in answers] == [201] * 10 + [429]
        retry_after = answers[-1].json()["retryAfter"]
        assert answers[-1].json() == {"error": "RATE_LIMITED", "retryAfter": retry_after}
        assert answers[-1].headers["retry-after"] == str(retry_after)
        assert 55 <= retry_after <= 60

        assert client.check(deviceId="b").status == 200
        refused = client.check(deviceId="c")
        assert (refused.status, refused.json()["error"]) == (403, "MAU_LIMIT_EXCEEDED")
        assert client.check(deviceId="a").status == 200


def test_a_redirect_to_another_path_stays_at_the_origin(client_of):
    with start(faults="", bundle_bytes=1000, redirect_downloads="path") as staging:
        location = client_of(staging).download().headers["location"]
        assert location.startswith("/cdn/test-app-001/test-release-002/bundle.js?expires=")
