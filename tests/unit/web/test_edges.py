"""Everything that is answered before a handler is asked."""

import gzip

from service.errors.storage import StoreUnavailable

SIMULATE = "/rebalance/simulate"
KEY = {"Idempotency-Key": "key-1", "Content-Type": "application/json"}


async def test_unknown_paths_and_methods_have_problems_of_their_own(start):
    client = await start()

    missing = await client.get("/nowhere")
    wrong = await client.put(SIMULATE)

    assert (missing.status, (await missing.json())["detail"]) == (404, "Not Found")
    assert (wrong.status, (await wrong.json())["detail"]) == (405, "Method Not Allowed")
    assert wrong.headers["Allow"] == "POST"
    assert {missing.content_type, wrong.content_type} == {"application/problem+json"}


async def test_options_are_not_served(start):
    client = await start()

    assert (await client.options(SIMULATE)).status == (await client.head(SIMULATE)).status == 405


async def test_operations_are_served_for_their_methods_only(start):
    client = await start()

    for path, allowed in (
        ("/rebalance/analyze/async", "POST"),
        ("/rebalance/operations", "GET"),
        ("/rebalance/operations/dop_1", "GET"),
        ("/rebalance/operations/by-correlation/corr-1", "GET"),
        ("/rebalance/operations/dop_1/execute", "POST"),
    ):
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - {allowed}:
            refused = await client.request(method, path)
            served = "GET, HEAD" if allowed == "GET" else allowed
            assert (refused.status, refused.headers["Allow"]) == (405, served), (method, path)
            assert (await refused.json())["code"] == "METHOD_NOT_ALLOWED"
        assert (await client.options(path)).status == 405
        slashed = await client.request(allowed, f"{path}/?limit=1", allow_redirects=False)
        assert slashed.status == 307
        assert slashed.headers["Location"] == f"../{path.rpartition('/')[2]}?limit=1"
    assert (await client.get("/rebalance/operations/dop_1/result")).status == 404


async def test_a_trailing_slash_is_sent_to_the_route_without(start):
    client = await start()

    for method in ("GET", "POST", "DELETE"):
        sent = await client.request(method, "/rebalance/simulate/?a=1%202", allow_redirects=False)
        assert sent.status == 307
        assert sent.headers["Location"] == "../simulate?a=1%202"
        assert await sent.read() == b""
    assert (await client.get("/nowhere/", allow_redirects=False)).status == 404


async def test_other_media_types_are_refused(start):
    client = await start()

    for media_type in ("text/plain", "application/xml", "multipart/form-data; boundary=x"):
        refused = await client.post(SIMULATE, data=b"{}", headers=KEY | {"Content-Type": media_type})
        assert refused.status == 415
        assert (await refused.json())["code"] == "UNSUPPORTED_MEDIA_TYPE"


async def test_json_media_types_are_accepted(start, demo):
    client = await start()

    for number, media_type in enumerate(("application/json; charset=utf-8", "application/vnd.bank+json")):
        headers = {"Content-Type": media_type, "Idempotency-Key": f"key-{number}"}
        assert (await client.post(SIMULATE, json=demo, headers=headers)).status == 200


async def test_a_body_over_the_limit_is_refused(start):
    client = await start(body_bytes_max=1000)

    plain = await client.post(SIMULATE, data=b" " * 1001, headers=KEY)
    packed = await client.post(
        SIMULATE, data=gzip.compress(b" " * 100_000), headers=KEY | {"Content-Encoding": "gzip"}
    )

    for refused in (plain, packed):
        assert refused.status == 413
        assert (await refused.json())["code"] == "REQUEST_BODY_TOO_LARGE"


async def test_json_that_nests_too_deep_is_refused(start):
    client = await start()

    refused = await client.post(SIMULATE, data=b"[" * 65 + b"]" * 65, headers=KEY)

    assert refused.status == 422
    assert (await refused.json())["code"] == "JSON_TOO_DEEP"


async def test_no_body_is_a_missing_body(start):
    client = await start()

    refused = await client.post(SIMULATE, headers=KEY)

    assert refused.status == 422
    assert (await refused.json())["detail"] == [
        {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    ]


async def test_readiness_follows_the_store(start, store, monkeypatch):
    client = await start()
    assert (await client.get("/health/ready")).status == 200

    async def away():
        raise StoreUnavailable()

    monkeypatch.setattr(store, "check_writable", away, raising=False)
    refused = await client.get("/health/ready")

    assert refused.status == 503
    assert refused.headers["Retry-After"] == "1"
    assert (await client.get("/health/live")).status == 200


async def test_a_lost_store_refuses_the_simulation_and_keeps_the_key_free(start, demo, store, monkeypatch):
    client = await start()

    async def away(*_):
        raise StoreUnavailable()

    with monkeypatch.context() as patch:
        patch.setattr(store.dpm_runs, "admit", away, raising=False)
        refused = await client.post(SIMULATE, json=demo, headers={"Idempotency-Key": "key-1"})
    again = await client.post(SIMULATE, json=demo, headers={"Idempotency-Key": "key-1"})

    assert refused.status == 503
    assert refused.headers["Retry-After"] == "1"
    assert again.status == 200
    assert "Idempotent-Replayed" not in again.headers


async def test_an_unforeseen_error_shows_no_trace(start, demo, store, monkeypatch):
    client = await start()

    async def broken(*_):
        raise RuntimeError("inner secret")

    monkeypatch.setattr(store.dpm_runs, "admit", broken, raising=False)
    answered = await client.post(SIMULATE, json=demo, headers={"Idempotency-Key": "key-1"})

    assert answered.status == 500
    assert await answered.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "An unexpected error occurred.",
        "instance": SIMULATE,
        "code": "INTERNAL_ERROR",
    }
