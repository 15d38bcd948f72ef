"""Proposals that are simulated and answered, as a client sees them."""

import pytest

from service.errors.storage import StoreUnavailable
from service.settings.process import UnknownFields
from tests.unit.web.proposal_fixtures import DEPOSIT, PROPOSALS, faults_of, refused_with, simulation

SIMULATE, ARTIFACT = f"{PROPOSALS}/simulate", f"{PROPOSALS}/artifact"
KEY = {"Idempotency-Key": "key-1"}


async def test_a_proposal_is_simulated_under_its_key_and_correlation_id(start):
    client = await start()

    answer = await client.post(SIMULATE, json=simulation(), headers=KEY | {"X-Correlation-Id": "corr-1"})

    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.headers["X-Correlation-Id"] == "corr-1" and "Idempotent-Replayed" not in answer.headers
    told = await answer.json()
    assert (told["status"], told["correlation_id"]) == ("READY", "corr-1")
    assert told["lineage"]["idempotency_key"] == "key-1"


@pytest.mark.parametrize("path", [SIMULATE, ARTIFACT])
async def test_a_replay_is_the_first_answer_to_the_byte(start, path):
    client = await start()
    first = await client.post(path, json=simulation(), headers=KEY | {"X-Correlation-Id": "corr-1"})

    again = await client.post(path, json=simulation(), headers=KEY | {"X-Correlation-Id": "corr-2"})

    assert again.headers["Idempotent-Replayed"] == "true"
    assert await again.read() == await first.read()


async def test_a_key_is_the_same_key_for_simulations_and_artifacts(start):
    client = await start()
    result = await (await client.post(SIMULATE, json=simulation(), headers=KEY)).json()

    artifact = await client.post(ARTIFACT, json=simulation(), headers=KEY)
    other = simulation(proposed_cash_flows=[DEPOSIT])
    refused = await client.post(ARTIFACT, json=other, headers=KEY)

    assert artifact.headers["Idempotent-Replayed"] == "true"
    assert (await artifact.json())["proposal_run_id"] == result["proposal_run_id"]
    assert await refused_with(refused, 409) == "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"


@pytest.mark.parametrize("path", [SIMULATE, ARTIFACT])
async def test_the_switch_is_asked_for_before_the_key_is_looked_at(start, path):
    client = await start()
    assert (await client.post(path, json=simulation(), headers=KEY)).status == 200

    refused = await client.post(path, json=simulation(options={}), headers=KEY)

    assert await refused_with(refused, 422) == (
        "PROPOSAL_SIMULATION_DISABLED: set options.enable_proposal_simulation=true"
    )


@pytest.mark.parametrize("path", [SIMULATE, ARTIFACT])
async def test_all_that_is_wrong_with_headers_and_body_is_said_at_once(start, path):
    client = await start()

    refused = await client.post(path, json=simulation(shelf_entries=None))
    bad_key = await client.post(path, json=simulation(), headers={"Idempotency-Key": ""})
    no_json = await client.post(path, data=b"{", headers={"Content-Type": "application/json"})

    assert await faults_of(refused) == [
        ("missing", ("header", "Idempotency-Key")),
        ("list_type", ("body", "shelf_entries")),
    ]
    assert await faults_of(bad_key) == [("string_pattern_mismatch", ("header", "Idempotency-Key"))]
    assert await faults_of(no_json) == [("json_invalid", ("body", 1))]


async def test_unknown_fields_are_refused_where_the_process_is_told_to(start):
    strict = await start(unknown_fields=UnknownFields.REJECT)

    refused = await strict.post(SIMULATE, json=simulation(note="x"), headers=KEY)

    assert await faults_of(refused) == [("extra_forbidden", ("body", "note"))]


@pytest.mark.parametrize("path", [SIMULATE, ARTIFACT])
async def test_a_store_that_is_away_is_told_by_the_code_of_proposals_after_the_body_is_read(
    start, store, monkeypatch, path
):
    client = await start()

    async def away(*_, **__):
        raise StoreUnavailable()

    monkeypatch.setattr(store.proposal_simulations, "keep", away)
    invalid = await client.post(path, json={}, headers=KEY)
    refused = await client.post(path, json=simulation(), headers=KEY)

    assert invalid.status == 422
    assert await refused_with(refused, 503) == "PROPOSAL_POSTGRES_CONNECTION_FAILED"
    assert refused.headers["Retry-After"] == "1"
