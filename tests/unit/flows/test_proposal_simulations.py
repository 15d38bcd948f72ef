"""Simulations of proposals and their artifacts, kept only for their key."""

import json

import pytest

from scripts.harness.sample_requests import a_proposal_body
from service.domains.callers import DEFAULT_TENANT, Caller
from service.errors.engines import ResultTooLarge
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalKeyNotFound, ProposalSimulationDisabled
from service.errors.requests import RequestInvalid
from service.flows.limits.result_sizes import AROUND_RESULTS_BYTES_MAX
from service.flows.limits.work_costs import LOOP_BODY_BYTES_MAX
from service.flows.proposals.simulations import ProposalSimulationFlow, least_artifact_bytes
from service.storage.memory.store import MemoryStore
from tests.runtimes import a_runtime
from tests.unit.flows.proposal_fixtures import (
    AT,
    DAY,
    OFF,
    READERS,
    ProposalDesk,
    purges_of,
    simulation,
    told,
)

LARGE = a_proposal_body(positions=600)


@pytest.fixture
def desk():
    return ProposalDesk()


def body_of(**changes):
    return json.dumps(simulation(**changes)).encode()


async def simulate(desk, body=None, key="key-1", correlation_id="corr-1"):
    return await desk.simulations.simulate(
        Caller.local(), body or body_of(), idempotency_key=key, correlation_id=correlation_id
    )


async def package(desk, body=None, key="key-1", correlation_id="corr-1"):
    return await desk.simulations.build_artifact(
        Caller.local(), body or body_of(), idempotency_key=key, correlation_id=correlation_id
    )


async def test_a_simulation_carries_its_key_and_correlation_and_brings_no_proposal(desk):
    answered = await simulate(desk)

    result = told(answered)
    assert (answered.replayed, result["status"], result["correlation_id"]) == (False, "READY", "corr-1")
    assert result["lineage"]["idempotency_key"] == "key-1"
    assert desk.count() == 0
    with pytest.raises(ProposalKeyNotFound):
        await desk.flow.get_key(Caller.local(), "key-1")


@pytest.mark.parametrize("ask", [simulate, package])
@pytest.mark.parametrize("body", [body_of(), LARGE], ids=["small", "large"])
async def test_a_replay_is_the_first_answer_to_the_byte(desk, ask, body):
    first = await ask(desk, body)
    desk.wait(3600)

    again = await ask(desk, body, correlation_id="corr-2")

    assert (again.body, again.replayed) == (first.body, True)
    assert ("simulate_proposal_body" in desk.offloaded) is (body is LARGE)
    assert desk.offloaded.count("simulate_proposal_body") <= 1


async def test_an_artifact_is_of_the_moment_its_simulation_was_made(desk):
    artifact = told(await package(desk))

    assert artifact["created_at"] == AT.isoformat()


@pytest.mark.parametrize("body", [body_of(), LARGE], ids=["small", "large"])
async def test_an_artifact_is_the_same_whether_or_not_it_was_simulated_before(body):
    at_once, after = ProposalDesk(), ProposalDesk()
    await simulate(after, body)
    after.wait(60)

    first, second = await package(at_once, body), await package(after, body)
    replayed = await package(after, body, correlation_id="corr-2")

    assert first.body == second.body == replayed.body
    assert (first.replayed, second.replayed) == (False, True)
    assert (await simulate(at_once, body)).replayed


@pytest.mark.parametrize("body", [body_of(), LARGE], ids=["small", "large"])
async def test_one_key_serves_both_and_stands_for_one_request(desk, body):
    await simulate(desk, body)
    document = json.loads(body)
    document["proposed_cash_flows"] = [{"currency": "SGD", "amount": "7"}]
    other = json.dumps(document).encode()

    for ask in (simulate, package):
        with pytest.raises(IdempotencyKeyConflict) as refused:
            await ask(desk, other)
        assert str(refused.value) == "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"
        assert not (await ask(desk, other, key=f"key-{ask.__name__}")).replayed


@pytest.mark.parametrize("strict", [True, False])
async def test_the_switch_is_asked_for_always_and_before_the_key(strict):
    desk = ProposalDesk(simulation_flag_required=strict)
    await simulate(desk)

    for ask in (simulate, package):
        for key in ("key-1", "key-2"):
            with pytest.raises(ProposalSimulationDisabled):
                await ask(desk, body_of(options=OFF), key=key)
    await desk.simulations.check(Caller.local(), body_of(options=OFF))
    with pytest.raises(RequestInvalid):
        await desk.simulations.check(Caller.local(), b"{}")


async def test_a_key_is_kept_for_its_time_and_not_longer(desk):
    first = await simulate(desk)
    desk.wait(DAY)
    assert (await simulate(desk, correlation_id="corr-2")).body == first.body
    with pytest.raises(IdempotencyKeyConflict):
        await simulate(desk, body_of(deposit=5))

    desk.wait(0.000001)
    other = await simulate(desk, body_of(deposit=5))

    assert not other.replayed
    assert (await simulate(desk, body_of(deposit=5))).body == other.body
    with pytest.raises(IdempotencyKeyConflict):
        await simulate(desk)


async def test_a_large_request_is_forgotten_after_the_same_time(desk):
    await simulate(desk, LARGE)
    desk.wait(DAY)
    assert (await simulate(desk, LARGE)).replayed

    desk.wait(0.000001)

    assert not (await simulate(desk, LARGE)).replayed
    assert desk.offloaded.count("simulate_proposal_body") == 2


async def test_an_artifact_that_cannot_be_answered_is_not_built(desk):
    """It is known of the request and the result, which it holds; what is kept under the key stays."""
    kept = (await simulate(desk, LARGE)).body
    desk.simulations = ProposalSimulationFlow(
        store=desk.store,
        runtime=a_runtime(
            clock=desk, offload=desk.offload, result_bytes_max=len(kept) - AROUND_RESULTS_BYTES_MAX
        ),
        read=READERS.simulate,
        kept_seconds=DAY,
    )

    with pytest.raises(ResultTooLarge, match=str(len(kept))):
        await package(desk, LARGE)

    assert "artifact_body" not in desk.offloaded
    assert (await simulate(desk, LARGE)).body == kept


@pytest.mark.parametrize("name", ["pf_1", "Zürich \N{BANK}\x7f", "back\\slash \\u0041"])
async def test_no_artifact_is_less_than_what_it_is_said_to_be_at_least(desk, name):
    asked = json.loads(body_of())
    asked["portfolio_snapshot"]["portfolio_id"] = name
    body = json.dumps(asked).encode()

    artifact = (await package(desk, body)).body

    (kept,) = desk.store.state.simulations.values()
    assert len(kept.result) < least_artifact_bytes(kept) < len(artifact)


async def test_of_two_at_once_with_one_key_one_is_kept_and_both_get_it(desk):
    kept = desk.store.proposal_simulations
    first = []

    class Overtaken:
        async def keep(self, *args, **kwargs):
            desk.store.proposal_simulations = kept
            first.append(await package(desk, correlation_id="theirs"))
            return await kept.keep(*args, **kwargs)

    desk.store.proposal_simulations = Overtaken()

    second = await package(desk, correlation_id="ours")

    assert (second.body, second.replayed, first[0].replayed) == (first[0].body, True, False)
    assert told(await simulate(desk))["correlation_id"] == "theirs"


async def test_only_what_is_too_old_to_be_found_is_removed(desk):
    purges = purges_of(desk, removed_at_once=2)
    for number in range(5):
        await simulate(desk, key=f"old-{number}")
    desk.wait(1)
    await simulate(desk, key="kept")
    desk.wait(DAY)

    assert await purges.forget_simulations(Caller.local()) == 5

    assert (await simulate(desk, key="kept", correlation_id="corr-2")).replayed
    assert list(desk.store.state.simulations) == [(DEFAULT_TENANT, "kept")]
    assert await purges.forget_simulations(Caller.local()) == 0


async def test_what_is_kept_outlives_the_process_that_kept_it():
    store = MemoryStore()
    first = await simulate(ProposalDesk(store))

    assert (await simulate(ProposalDesk(store), correlation_id="corr-2")).body == first.body


def test_a_large_request_is_large():
    assert len(LARGE) > LOOP_BODY_BYTES_MAX
