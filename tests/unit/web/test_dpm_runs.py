"""Simulate, analyse and run lookups as a client sees them."""

import asyncio
import json

from service.storage.memory.store import MemoryStore

SIMULATE = "/rebalance/simulate"


def keyed(key="key-1", **more):
    return {"Idempotency-Key": key} | {name.replace("_", "-"): value for name, value in more.items()}


async def test_a_simulation_is_answered_and_can_be_looked_up_three_ways(start, demo):
    client = await start()

    answered = await client.post(SIMULATE, json=demo, headers=keyed(X_Correlation_Id="corr-1"))
    body = await answered.read()
    result = json.loads(body)

    assert answered.status == 200
    assert answered.headers["X-Correlation-Id"] == "corr-1"
    assert "Idempotent-Replayed" not in answered.headers
    assert result["correlation_id"] == "corr-1"
    assert result["lineage"]["engine_version"] == "1"
    assert result["lineage"]["idempotency_key"] is None
    assert result["rebalance_run_id"].startswith("rr_") and len(result["rebalance_run_id"]) == 35
    run_id = result["rebalance_run_id"]
    for path in (f"/rebalance/runs/{run_id}", "/rebalance/runs/by-correlation/corr-1"):
        found = await (await client.get(path)).read()
        assert body in found
        assert list(json.loads(found)) == [
            "rebalance_run_id",
            "correlation_id",
            "request_hash",
            "idempotency_key",
            "portfolio_id",
            "created_at",
            "result",
        ]
    held = await (await client.get("/rebalance/runs/idempotency/key-1")).json()
    assert held["rebalance_run_id"] == run_id
    assert held["request_hash"] == result["lineage"]["request_hash"]


async def test_a_replay_is_byte_identical_and_says_so(start, demo):
    client = await start()
    first = await client.post(SIMULATE, json=demo, headers=keyed(X_Correlation_Id="corr-1"))

    again = await client.post(SIMULATE, json=demo, headers=keyed(X_Correlation_Id="corr-2"))

    assert await again.read() == await first.read()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["X-Correlation-Id"] == "corr-2"


async def test_a_key_stands_for_one_request_only(start, demo):
    client = await start()
    await client.post(SIMULATE, json=demo, headers=keyed())
    demo["options"]["fx_buffer_pct"] = "0.02"

    refused = await client.post(SIMULATE, json=demo, headers=keyed())

    assert refused.status == 409
    assert refused.content_type == "application/problem+json"
    assert await refused.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch",
        "instance": SIMULATE,
        "code": "IDEMPOTENCY_KEY_CONFLICT",
    }


async def test_equal_requests_at_once_give_one_run(start, demo):
    client = await start()

    answers = await asyncio.gather(*(client.post(SIMULATE, json=demo, headers=keyed()) for _ in range(20)))
    bodies = {await answer.read() for answer in answers}

    assert len(bodies) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1


async def test_without_replay_every_call_is_a_new_run_and_the_key_follows(start, demo):
    client = await start(idempotency_replay_enabled=False)
    await client.post(SIMULATE, json=demo, headers=keyed())
    demo["options"]["fx_buffer_pct"] = "0.02"

    second = await client.post(SIMULATE, json=demo, headers=keyed())

    held = await (await client.get("/rebalance/runs/idempotency/key-1")).json()
    assert second.status == 200
    assert held["rebalance_run_id"] == (await second.json())["rebalance_run_id"]


async def test_a_reused_correlation_id_finds_the_newest_run(start, demo):
    client = await start()
    await client.post(SIMULATE, json=demo, headers=keyed("key-1", X_Correlation_Id="shared"))
    second = await client.post(SIMULATE, json=demo, headers=keyed("key-2", X_Correlation_Id="shared"))

    found = await (await client.get("/rebalance/runs/by-correlation/shared")).json()

    assert found["rebalance_run_id"] == (await second.json())["rebalance_run_id"]


async def test_every_fault_of_headers_and_body_is_in_one_answer(start, demo):
    client = await start()
    del demo["options"]

    refused = await client.post(SIMULATE, json=demo)
    problem = await refused.json()

    assert refused.status == 422
    assert problem["code"] == "REQUEST_VALIDATION_FAILED"
    assert [(entry["type"], entry["loc"]) for entry in problem["detail"]] == [
        ("missing", ["header", "Idempotency-Key"]),
        ("missing", ["body", "options"]),
    ]


async def test_a_batch_lists_faults_of_headers_and_body_alike(start, demo):
    client = await start()
    body = json.dumps(demo).encode()
    head = (
        f"POST /rebalance/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )

    # No client library sends a header that is not UTF-8.
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(head.encode() + b"X-Correlation-Id: \xff\xfe\r\n\r\n" + body)
    refused = await reader.read()
    writer.close()

    problem = json.loads(refused.partition(b"\r\n\r\n")[2])
    assert problem["status"] == 422
    assert [(entry["type"], entry["loc"]) for entry in problem["detail"]] == [
        ("string_unicode", ["header", "X-Correlation-Id"]),
        ("missing", ["body", "scenarios"]),
    ]


async def test_broken_json_is_said_before_anything_else(start):
    client = await start()

    refused = await client.post(SIMULATE, data=b'{"a": ', headers={"Content-Type": "application/json"})
    problem = await refused.json()

    assert refused.status == 422
    assert [entry["type"] for entry in problem["detail"]] == ["json_invalid"]


async def test_keys_out_of_form_are_refused(start, demo):
    client = await start()

    for key in ("", "a b", "k" * 256, "schlüssel"):
        refused = await client.post(SIMULATE, json=demo, headers=keyed(key))
        entry = (await refused.json())["detail"][0]
        assert refused.status == 422
        assert (entry["type"], entry["loc"]) == ("string_pattern_mismatch", ["header", "Idempotency-Key"])
    assert (await client.post(SIMULATE, json=demo, headers=keyed("k" * 255))).status == 200


async def test_an_empty_correlation_id_counts_as_absent(start, demo):
    client = await start()

    answered = await client.post(SIMULATE, json=demo, headers=keyed(X_Correlation_Id=""))

    assert (await answered.json())["correlation_id"].startswith("corr_")


async def test_unknown_fields_are_ignored_unless_told_otherwise(start, demo):
    demo["options"]["misspelt"] = 1

    lenient = await (await start()).post(SIMULATE, json=demo, headers=keyed())
    strict = await (await start(unknown_fields=strictness())).post(
        SIMULATE, json=demo, headers=keyed("key-2")
    )

    assert lenient.status == 200
    assert strict.status == 422
    assert (await strict.json())["detail"][0]["loc"] == ["body", "options", "misspelt"]


def strictness():
    from service.settings.process import UnknownFields

    return UnknownFields.REJECT


async def test_a_zero_price_is_a_blocked_result_and_not_an_error(start, demo):
    client = await start()
    demo["market_data_snapshot"]["prices"][0]["price"] = "0"

    answered = await client.post(SIMULATE, json=demo, headers=keyed())
    result = await answered.json()

    assert answered.status == 200
    assert result["status"] == "BLOCKED"
    assert "US_TECH_ETF" in result["diagnostics"]["data_quality"]["price_missing"]


async def test_what_does_not_exist_is_not_found(start):
    client = await start()

    for path, code in (
        ("/rebalance/runs/rr_missing", "DPM_RUN_NOT_FOUND"),
        ("/rebalance/runs/by-correlation/none", "DPM_RUN_NOT_FOUND"),
        ("/rebalance/runs/idempotency/none", "DPM_IDEMPOTENCY_KEY_NOT_FOUND"),
        ("/rebalance/runs/rr_%00%FF", "DPM_RUN_NOT_FOUND"),
    ):
        refused = await client.get(path)
        assert refused.status == 404
        problem = await refused.json()
        assert (problem["code"], problem["detail"]) == (code, code)


async def test_support_lookups_can_be_switched_off(start):
    client = await start(support_apis_enabled=False)

    for path in ("runs/rr_1", "runs/by-correlation/c", "runs/idempotency/k"):
        refused = await client.get(f"/rebalance/{path}")
        assert refused.status == 404
        assert (await refused.json())["code"] == "DPM_SUPPORT_APIS_DISABLED"


async def test_ids_with_a_slash_can_be_looked_up(start, demo):
    client = await start()
    await client.post(SIMULATE, json=demo, headers=keyed("desk/7", X_Correlation_Id="a/b"))

    assert (await client.get("/rebalance/runs/idempotency/desk%2F7")).status == 200
    assert (await client.get("/rebalance/runs/by-correlation/a%2Fb")).status == 200


async def test_a_batch_runs_every_scenario_and_keeps_the_good_ones(start, demo, store: MemoryStore):
    client = await start()
    del demo["options"]
    demo["scenarios"] = {
        "solver": {"options": {"target_method": "SOLVER"}},
        "base": {"description": "as it is"},
        "wrong": {"options": {"max_turnover_pct": "2"}},
        "zero": {"options": {"single_position_max_weight": "0.2"}},
    }

    answered = await client.post("/rebalance/analyze", json=demo, headers={"X-Correlation-Id": "what-if"})
    batch = await answered.json()

    assert answered.status == 200
    assert list(batch["results"]) == list(batch["comparison_metrics"]) == ["base", "solver", "zero"]
    assert batch["failed_scenarios"] == {
        "wrong": "INVALID_OPTIONS: Value error, max_turnover_pct must be between 0 and 1 inclusive"
    }
    assert batch["warnings"] == ["PARTIAL_BATCH_FAILURE"]
    assert batch["base_snapshot_ids"] == {
        "portfolio_snapshot_id": "ps_demo_2026_11_20",
        "market_data_snapshot_id": "md_demo_2026_11_20_1700",
    }
    found = await (await client.get("/rebalance/runs/by-correlation/what-if%3Abase")).json()
    assert found["idempotency_key"] is None
    assert found["request_hash"] == f"{batch['batch_run_id']}:base"
    assert found["result"] == batch["results"]["base"]


async def test_a_batch_of_bad_scenarios_only_is_still_answered(start, demo):
    client = await start()
    del demo["options"]
    demo["scenarios"] = {"wrong": {"options": {"target_method": "MAGIC"}}}

    batch = await (await client.post("/rebalance/analyze", json=demo)).json()

    assert batch["results"] == {}
    assert batch["failed_scenarios"]["wrong"].startswith("INVALID_OPTIONS: Input should be")


async def test_scenario_names_and_counts_are_checked_for_the_whole_call(start, demo):
    client = await start()
    del demo["options"]

    for scenarios in ({}, {"Upper": {}}, {f"s{number}": {} for number in range(21)}, {"a\n": {}}):
        demo["scenarios"] = scenarios
        refused = await client.post("/rebalance/analyze", json=demo)
        assert refused.status == 422
        assert (await refused.json())["detail"][0]["loc"] == ["body", "scenarios"]
