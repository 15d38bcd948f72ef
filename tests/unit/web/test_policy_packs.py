"""Policy packs as a client meets them: chosen, overlaid, kept with the run, published and removed."""

import asyncio
import json
from dataclasses import replace as changed

import pytest

from service.domains.values.canonical import canonical_json, digest_of
from service.errors.storage import PostgresDsnRequired, PostgresUnavailable, StoreUnavailable
from service.settings.process import read

SIMULATE = "/rebalance/simulate"
ANALYZE = "/rebalance/analyze"
EFFECTIVE = "/rebalance/policies/effective"
CATALOG = "/rebalance/policies/catalog"
STATUS = "X-Policy-Pack-Status"

TIGHT = {"version": "2026.1", "turnover_policy": {"max_turnover_pct": "0.05"}}


def policies(**chosen):
    return changed(read().policy, **{"enabled": True, "admin_apis_enabled": True} | chosen)


def keyed(key="key-1", **more):
    return {"Idempotency-Key": key} | {name.replace("_", "-"): value for name, value in more.items()}


async def published(client, policy_pack_id="tight", pack=TIGHT):
    answer = await client.put(f"{CATALOG}/{policy_pack_id}", json=pack)
    assert answer.status == 200, await answer.text()
    return (await answer.json())["item"]


@pytest.mark.parametrize(
    ("chosen", "headers", "selected", "source"),
    [
        ({"enabled": False}, {"X-Policy-Pack-Id": "a"}, None, "DISABLED"),
        ({}, {"X-Policy-Pack-Id": " a ", "X-Tenant-Policy-Pack-Id": "b"}, "a", "REQUEST"),
        ({}, {"X-Policy-Pack-Id": " ", "X-Tenant-Policy-Pack-Id": " b"}, "b", "TENANT_DEFAULT"),
        ({"default_pack_id": "c"}, {"X-Tenant-Id": "t1"}, "c", "GLOBAL_DEFAULT"),
        (
            {"tenant_resolution_enabled": True, "tenant_map_json": '{" t1 ": " d "}', "default_pack_id": "c"},
            {"X-Tenant-Id": "t1 "},
            "d",
            "TENANT_DEFAULT",
        ),
        (
            {"tenant_resolution_enabled": True, "tenant_map_json": '{"t1": "d"}', "default_pack_id": "c"},
            {"X-Tenant-Id": "t1", "X-Tenant-Policy-Pack-Id": ""},
            "c",
            "GLOBAL_DEFAULT",
        ),
        (
            {"tenant_resolution_enabled": False, "tenant_map_json": '{"t1": "d"}'},
            {"X-Tenant-Id": "t1"},
            None,
            "NONE",
        ),
        (
            {"tenant_resolution_enabled": True, "tenant_map_json": '{"t1": 5, "t2": ""}'},
            {"X-Tenant-Id": "t1"},
            None,
            "NONE",
        ),
        ({"tenant_resolution_enabled": True, "tenant_map_json": "[1]"}, {"X-Tenant-Id": "t1"}, None, "NONE"),
    ],
)
async def test_the_pack_of_a_request_is_found_in_the_order_of_the_contract(
    start, chosen, headers, selected, source
):
    client = await start(policy=policies(**chosen))

    answer = await client.get(EFFECTIVE, headers=headers)
    effective = await answer.json()
    catalog = await (await client.get(CATALOG, headers=headers)).json()

    enabled = source != "DISABLED"
    assert effective == {
        "enabled": enabled,
        "selected_policy_pack_id": selected,
        "source": source,
        "selected_policy_pack_present": False,
    }
    assert answer.headers.get("X-Policy-Pack-Status") == (None if selected is None else "UNKNOWN")
    assert catalog == {
        "enabled": enabled,
        "total": 0,
        "selected_policy_pack_id": selected,
        "selected_policy_pack_present": False,
        "selected_policy_pack_source": source,
        "items": [],
    }


async def test_the_effective_pack_says_whether_it_is_there(start, store, monkeypatch):
    client = await start(policy=policies(catalog_seconds=0))
    await published(client)
    headers = {"X-Policy-Pack-Id": "tight"}

    there = await client.get(EFFECTIVE, headers=headers)

    async def away(*_):
        raise StoreUnavailable()

    monkeypatch.setattr(store.policy_packs, "find_revision", away, raising=False)
    unasked = await client.get(EFFECTIVE, headers=headers)

    assert (await there.json())["selected_policy_pack_present"] is True
    assert unasked.status == 200, "it was answered before there was a catalog to ask"
    assert (await unasked.json())["selected_policy_pack_present"] is None
    assert "X-Policy-Pack-Status" not in there.headers and "X-Policy-Pack-Status" not in unasked.headers


async def test_a_rule_that_is_misspelled_is_refused(start):
    """What is not known would else be left out, and the pack would hold nobody to anything."""
    client = await start(policy=policies())

    for wanted, place in (
        (
            {"version": "1", "turnover_policy": {"max_turnover_pc": "0.1"}},
            ["turnover_policy", "max_turnover_pc"],
        ),
        ({"version": "1", "turnover": {"max_turnover_pct": "0.1"}}, ["turnover"]),
    ):
        refused = await client.put(f"{CATALOG}/typo", json=wanted)

        assert refused.status == 422
        (entry,) = (await refused.json())["detail"]
        assert (entry["type"], entry["loc"]) == ("extra_forbidden", ["body", *place])
    assert (await (await client.get(CATALOG)).json())["total"] == 0


async def test_a_pack_wins_over_the_options_of_a_simulation_and_is_shown_in_its_artifact(start, demo):
    client = await start(policy=policies())
    plain = await (await client.post(SIMULATE, json=demo, headers=keyed("plain"))).json()
    await published(client)

    answered = await client.post(SIMULATE, json=demo, headers=keyed("packed", X_Policy_Pack_Id="tight"))
    packed = await answered.json()

    as_if_asked = demo | {"options": demo["options"] | {"max_turnover_pct": "0.05"}}
    asked = await (await client.post(SIMULATE, json=as_if_asked, headers=keyed("asked"))).json()
    assert STATUS not in answered.headers
    assert packed["intents"] == asked["intents"] != plain["intents"]
    # The hash stays that of what was asked (section 9).
    assert packed["lineage"]["request_hash"] == plain["lineage"]["request_hash"]
    artifact = await (await client.get(f"/rebalance/runs/{packed['rebalance_run_id']}/artifact")).json()
    pack = await (await client.get(f"{CATALOG}/tight")).json()
    shown = artifact["policy_pack"]
    assert shown["effective_options"]["max_turnover_pct"] == "0.05"
    assert shown["effective_options"]["fx_buffer_pct"] == "0.005"
    assert {name: shown[name] for name in ("policy_pack_id", "version", "source")} == {
        "policy_pack_id": "tight",
        "version": "2026.1",
        "source": "REQUEST",
    }
    assert shown["content_hash"] == digest_of(canonical_json(pack))
    unpacked = await (await client.get(f"/rebalance/runs/{plain['rebalance_run_id']}/artifact")).json()
    assert "policy_pack" not in unpacked


async def test_every_part_of_a_pack_overrides_its_option(start, demo):
    client = await start(policy=policies())
    whole = {
        "version": "1",
        "turnover_policy": {"max_turnover_pct": "0.11"},
        "tax_policy": {"enable_tax_awareness": False, "max_realized_capital_gains": "12.50"},
        "settlement_policy": {"enable_settlement_awareness": True, "settlement_horizon_days": 3},
        "constraint_policy": {
            "single_position_max_weight": "0.30",
            "group_constraints": {"sector:BROAD": {"max_weight": "0.2"}},
        },
        "workflow_policy": {
            "enable_workflow_gates": False,
            "workflow_requires_client_consent": True,
            "client_consent_already_obtained": True,
        },
    }
    await published(client, "whole", whole)

    answered = await client.post(SIMULATE, json=demo, headers=keyed(X_Policy_Pack_Id="whole"))

    run_id = (await answered.json())["rebalance_run_id"]
    artifact = await (await client.get(f"/rebalance/runs/{run_id}/artifact")).json()
    options = artifact["policy_pack"]["effective_options"]
    for section in list(whole.values())[1:]:
        for name, value in section.items():
            assert options[name] == value


async def test_an_empty_map_of_groups_leaves_those_of_the_request(start, demo):
    client = await start(policy=policies())
    await published(client, "empty", {"version": "1", "constraint_policy": {"group_constraints": {}}})

    answered = await client.post(SIMULATE, json=demo, headers=keyed(X_Policy_Pack_Id="empty"))

    run_id = (await answered.json())["rebalance_run_id"]
    artifact = await (await client.get(f"/rebalance/runs/{run_id}/artifact")).json()
    options = artifact["policy_pack"]["effective_options"]
    assert options["group_constraints"] == demo["options"]["group_constraints"]


async def test_a_replay_needs_neither_catalog_nor_settings(start, store, demo):
    client = await start(policy=policies())
    await published(client)
    batch = {name: part for name, part in demo.items() if name != "options"}
    batch["scenarios"] = {"base": {"options": demo["options"]}, "loose": {"options": {}}}
    headers = {"X-Policy-Pack-Id": "tight", "X-Correlation-Id": "what-if"}
    analyzed = await (await client.post(ANALYZE, json=batch, headers=headers)).json()
    simulated = await (await client.post(SIMULATE, json=demo, headers=keyed() | headers)).json()
    assert (await client.delete(f"{CATALOG}/tight")).status == 204

    bare = await start()

    runs = [simulated, *analyzed["results"].values()]
    assert len(runs) == 3
    for result in runs:
        run_id = result["rebalance_run_id"]
        replayed = await (await bare.post(f"/rebalance/runs/{run_id}/replay")).json()
        assert replayed["outcome"] == "MATCH"
        artifact = await (await bare.get(f"/rebalance/runs/{run_id}/artifact")).json()
        assert artifact["policy_pack"]["effective_options"]["max_turnover_pct"] == "0.05"


async def test_an_analysis_is_done_under_the_pack_of_its_submission(start, store, demo):
    client = await start(policy=policies(), execution_mode=read().execution_mode.ACCEPT_ONLY)
    await published(client)
    batch = {name: part for name, part in demo.items() if name != "options"}
    batch["scenarios"] = {"base": {"options": demo["options"]}}
    headers = {"X-Policy-Pack-Id": "tight"}
    accepted = await (await client.post(f"{ANALYZE}/async", json=batch, headers=headers)).json()
    await client.delete(f"{CATALOG}/tight")

    executed = await (await client.post(accepted["execute_url"])).json()

    packed = executed["result"]["results"]["base"]
    asked = demo | {"options": demo["options"] | {"max_turnover_pct": "0.05"}}
    simulated = await (await client.post(SIMULATE, json=asked, headers=keyed())).json()
    assert executed["status"] == "SUCCEEDED"
    assert packed["intents"] == simulated["intents"]


async def test_the_same_key_under_another_pack_is_a_conflict(start, demo):
    client = await start(policy=policies())
    await published(client)
    await published(client, "loose", {"version": "1"})
    first = await client.post(SIMULATE, json=demo, headers=keyed(X_Policy_Pack_Id="tight"))

    for headers in (keyed(), keyed(X_Policy_Pack_Id="loose")):
        refused = await client.post(SIMULATE, json=demo, headers=headers)
        assert refused.status == 409
        assert (await refused.json())["detail"] == "IDEMPOTENCY_KEY_CONFLICT: effective policy pack differs"
        assert (await refused.json())["code"] == "IDEMPOTENCY_KEY_CONFLICT"
    another = await client.post(SIMULATE, json=demo | {"options": {}}, headers=keyed())
    assert (await another.json())["detail"] == "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"
    again = await client.post(SIMULATE, json=demo, headers=keyed(X_Tenant_Policy_Pack_Id="tight"))
    assert await again.read() == await first.read()
    assert again.headers["Idempotent-Replayed"] == "true"
    # Another content under the same name is another pack.
    await published(client, "tight", TIGHT | {"version": "2026.2"})
    refused = await client.post(SIMULATE, json=demo, headers=keyed(X_Policy_Pack_Id="tight"))
    assert refused.status == 409


async def test_a_pack_can_switch_replays_off(start, demo):
    client = await start(policy=policies())
    await published(client, "anew", {"version": "1", "idempotency_policy": {"replay_enabled": False}})
    headers = keyed(X_Policy_Pack_Id="anew")

    first, second = [await (await client.post(SIMULATE, json=demo, headers=headers)).json() for _ in "12"]

    assert first["rebalance_run_id"] != second["rebalance_run_id"]


@pytest.mark.parametrize("path", [SIMULATE, ANALYZE, f"{ANALYZE}/async"])
async def test_a_pack_that_is_not_there_overrides_nothing_and_says_so(start, demo, path):
    client = await start(policy=policies())
    body = demo
    if path != SIMULATE:
        body = {name: part for name, part in demo.items() if name != "options"}
        body["scenarios"] = {"base": {"options": demo["options"]}}

    answered = await client.post(path, json=body, headers=keyed(X_Policy_Pack_Id="gone"))

    assert answered.status in (200, 202)
    assert answered.headers[STATUS] == "UNKNOWN"


@pytest.mark.parametrize("path", [SIMULATE, ANALYZE, f"{ANALYZE}/async"])
async def test_where_packs_are_strict_one_that_is_not_there_is_refused_after_the_body(start, demo, path):
    client = await start(policy=policies(strict=True))
    body = demo
    if path != SIMULATE:
        body = {name: part for name, part in demo.items() if name != "options"}
        body["scenarios"] = {"base": {"options": demo["options"]}}
    headers = keyed(X_Policy_Pack_Id="gone")

    refused = await client.post(path, json=body, headers=headers)
    malformed = await client.post(path, json={}, headers=headers)

    problem = await refused.json()
    assert (refused.status, problem["code"]) == (422, "DPM_POLICY_PACK_UNKNOWN")
    assert problem["detail"] == "DPM_POLICY_PACK_UNKNOWN: there is no policy pack gone"
    assert (await malformed.json())["code"] == "REQUEST_VALIDATION_FAILED"
    assert (await client.get("/rebalance/runs")).status == 200
    assert (await (await client.get("/rebalance/runs")).json())["items"] == []


async def test_a_pack_is_published_replaced_and_removed(start):
    client = await start(policy=policies())

    created = await published(client)
    replaced = await published(client, "tight", {"version": "2026.2"})

    nothing = {
        "tax_policy": {"enable_tax_awareness": None, "max_realized_capital_gains": None},
        "settlement_policy": {"enable_settlement_awareness": None, "settlement_horizon_days": None},
        "constraint_policy": {"single_position_max_weight": None, "group_constraints": {}},
        "workflow_policy": {
            "enable_workflow_gates": None,
            "workflow_requires_client_consent": None,
            "client_consent_already_obtained": None,
        },
        "idempotency_policy": {"replay_enabled": None},
    }
    assert created == {"policy_pack_id": "tight"} | TIGHT | nothing
    assert list(created) == ["policy_pack_id", "version", "turnover_policy", *nothing]
    assert replaced["turnover_policy"] == {"max_turnover_pct": None}
    assert await (await client.get(f"{CATALOG}/tight")).json() == replaced
    removed = await client.delete(f"{CATALOG}/tight")
    assert (removed.status, await removed.read()) == (204, b"")
    for gone in (await client.get(f"{CATALOG}/tight"), await client.delete(f"{CATALOG}/tight")):
        assert (gone.status, (await gone.json())["code"]) == (404, "DPM_POLICY_PACK_NOT_FOUND")


async def test_packs_that_settings_bring_are_amended_by_what_was_changed_since(start, store):
    text = json.dumps(
        {
            " house ": {"version": 7, "tax_policy": None},
            "plain": {},
            " ": {"version": "1"},
            "broken": {"turnover_policy": {"max_turnover_pct": "5"}},
            "no object": 4,
        }
    )
    chosen = policies(catalog_json=text)
    client = await start(policy=chosen)
    before = await (await client.get(CATALOG)).json()
    await published(client, "plain", {"version": "2"})
    await published(client, "added", {"version": "3"})
    assert (await client.delete(f"{CATALOG}/house")).status == 204

    restarted = await start(policy=chosen)

    after = await (await restarted.get(CATALOG)).json()
    assert [(item["policy_pack_id"], item["version"]) for item in before["items"]] == [
        ("house", "7"),
        ("plain", "1"),
    ]
    assert [(item["policy_pack_id"], item["version"]) for item in after["items"]] == [
        ("added", "3"),
        ("plain", "2"),
    ]
    assert after["total"] == 2


async def test_text_that_is_no_catalog_is_an_empty_one(start):
    for text in ("", "not json", "[]", '"x"', "{" * 3000):
        client = await start(policy=policies(catalog_json=text))
        assert (await (await client.get(CATALOG)).json())["items"] == []


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({}, ["body", "version"], "missing"),
        ({"version": 1}, ["body", "version"], "string_type"),
        ({"version": "1", "tax_policy": None}, ["body", "tax_policy"], "model_attributes_type"),
        (
            {"version": "1", "turnover_policy": {"max_turnover_pct": "5"}},
            ["body", "turnover_policy", "max_turnover_pct"],
            "value_error",
        ),
        (
            {"version": "1", "turnover_policy": {"max_turnover_pct": "-1"}},
            ["body", "turnover_policy", "max_turnover_pct"],
            "value_error",
        ),
        (
            {"version": "1", "tax_policy": {"max_realized_capital_gains": "-0.01"}},
            ["body", "tax_policy", "max_realized_capital_gains"],
            "greater_than_equal",
        ),
        (
            {"version": "1", "settlement_policy": {"settlement_horizon_days": 11}},
            ["body", "settlement_policy", "settlement_horizon_days"],
            "less_than_equal",
        ),
        (
            {"version": "1", "constraint_policy": {"single_position_max_weight": "1.01"}},
            ["body", "constraint_policy", "single_position_max_weight"],
            "less_than_equal",
        ),
        (
            {"version": "1", "constraint_policy": {"group_constraints": {"a:b:c": {"max_weight": "0.1"}}}},
            ["body", "constraint_policy", "group_constraints"],
            "value_error",
        ),
        (
            {"version": "1", "constraint_policy": {"group_constraints": {"a:b": {"max_weight": "1.1"}}}},
            ["body", "constraint_policy", "group_constraints", "a:b", "max_weight"],
            "value_error",
        ),
    ],
)
async def test_a_pack_is_held_to_the_rules_of_the_options(start, body, place, kind):
    client = await start(policy=policies())

    refused = await client.put(f"{CATALOG}/tight", json=body)

    entries = (await refused.json())["detail"]
    assert refused.status == 422
    assert [(entry["loc"], entry["type"]) for entry in entries] == [(place, kind)]
    assert (await client.get(f"{CATALOG}/tight")).status == 404


async def test_the_admin_gate_is_looked_at_after_the_body(start):
    client = await start(policy=policies(admin_apis_enabled=False))

    for refused in (
        await client.put(f"{CATALOG}/tight", json=TIGHT),
        await client.delete(f"{CATALOG}/tight"),
    ):
        assert (refused.status, (await refused.json())["code"]) == (
            404,
            "DPM_POLICY_PACK_ADMIN_APIS_DISABLED",
        )
    malformed = await client.put(f"{CATALOG}/tight", json={})
    assert malformed.status == 422
    assert (await client.get(CATALOG)).status == 200


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PostgresDsnRequired, "DPM_POLICY_PACK_POSTGRES_DSN_REQUIRED"),
        (PostgresUnavailable, "DPM_POLICY_PACK_POSTGRES_CONNECTION_FAILED"),
    ],
)
async def test_a_catalog_that_is_away_is_told_only_to_those_who_need_it(
    start, store, demo, monkeypatch, error, code
):
    async def away(_):
        raise error()

    client = await start(policy=policies(catalog_seconds=0))
    monkeypatch.setattr(store.policy_packs, "find_revision", away)

    assert (await client.get(EFFECTIVE, headers={"X-Policy-Pack-Id": "tight"})).status == 200
    assert (await client.post(SIMULATE, json=demo, headers=keyed())).status == 200
    for refused in (
        await client.get(CATALOG),
        await client.get(f"{CATALOG}/tight"),
        await client.put(f"{CATALOG}/tight", json=TIGHT),
        await client.delete(f"{CATALOG}/tight"),
        await client.post(SIMULATE, json=demo, headers=keyed("k2", X_Policy_Pack_Id="tight")),
    ):
        assert (refused.status, (await refused.json())["code"]) == (503, code)
        assert refused.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", [EFFECTIVE, CATALOG])
async def test_headers_that_are_no_text_are_refused(start, path):
    client = await start(policy=policies())

    # No client library sends a header that is not UTF-8.
    reader, writer = await asyncio.open_connection(client.host, client.port)
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    writer.write(head.encode() + b"X-Tenant-Id: \xff\xfe\r\n\r\n")
    refused = await reader.read()
    writer.close()

    problem = json.loads(refused.partition(b"\r\n\r\n")[2])
    assert problem["status"] == 422
    assert [(entry["type"], entry["loc"]) for entry in problem["detail"]] == [
        ("string_unicode", ["header", "X-Tenant-Id"])
    ]
