"""What the flow decides: where work is done, what is recorded, when an id is drawn again."""

import json
from datetime import UTC, datetime

import pytest

from scripts.servers import ROOT
from service.domains.dpm_runs import DEFAULT_TENANT
from service.errors import RequestInvalid, RunExists
from service.flows.dpm_computing import Readers, recompute
from service.flows.dpm_runs import INLINE_BYTES_MAX, DpmRunFlow
from service.storage.memory.store import MemoryStore
from service.web import bodies

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEMO = (ROOT / "scripts" / "demo" / "multi_currency.json").read_bytes()


class StoppedClock:
    def now(self):
        return AT


class Flow:
    """A flow with its ids counted and its offloaded work written down."""

    def __init__(self):
        self.store = MemoryStore()
        self.drawn = 0
        self.offloaded = []
        self.readers = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
        self.flow = DpmRunFlow(
            store=self.store,
            clock=StoppedClock(),
            new_id=self.draw,
            offload=self.offload,
            readers=self.readers,
            replay_enabled=True,
        )

    def draw(self, prefix):
        self.drawn += 1
        return f"{prefix}_{self.drawn:032x}"

    async def offload(self, work, *args):
        self.offloaded.append(work.__name__)
        return work(*args)

    async def simulate(self, body=DEMO, key="key-1"):
        return await self.flow.simulate(body, idempotency_key=key, correlation_id="corr-1")


@pytest.fixture
def flow():
    return Flow()


async def test_a_small_request_is_simulated_at_once_and_a_large_one_elsewhere(flow):
    padded = DEMO + b" " * INLINE_BYTES_MAX

    await flow.simulate(key="small")
    small = list(flow.offloaded)
    await flow.simulate(padded, key="large")
    await flow.simulate(padded, key="large")

    assert small == []
    assert flow.offloaded == ["simulate_body", "hash_body"]


async def test_a_slow_method_goes_elsewhere_sooner(flow):
    request = json.loads(DEMO)
    request["options"]["target_method"] = "SOLVER"
    body = json.dumps(request).encode() + b" " * (INLINE_BYTES_MAX // 3)

    await flow.simulate(body)

    assert flow.offloaded == ["simulate_body"]


async def test_a_batch_always_goes_elsewhere(flow):
    request = json.loads(DEMO)
    del request["options"]
    request["scenarios"] = {"only": {}}

    await flow.flow.analyze(json.dumps(request).encode(), correlation_id=None)

    assert flow.offloaded == ["analyze_body"]


async def test_the_request_is_kept_as_canonical_text_beside_its_hash(flow):
    admitted = await flow.simulate()

    request = await flow.store.dpm_runs.get_request(DEFAULT_TENANT, admitted.run.request_id)

    assert request.request_hash == admitted.run.request_hash
    assert json.loads(request.body)["options"]["settlement_horizon_days"] == 5
    assert bodies.decode_rebalance(request.body) == bodies.decode_rebalance(DEMO)
    assert (admitted.run.created_at, admitted.run.engine_version) == (AT, "1")


async def test_a_stored_run_is_computed_again_to_the_byte(flow):
    request = json.loads(DEMO, parse_float=str)
    del request["options"]
    request["portfolio_snapshot"]["portfolio_id"] = "Zürich \N{BANK}"
    request["scenarios"] = {
        "as_text": {"options": {"fx_buffer_pct": "0.010", "target_method": "SOLVER"}},
        "as_numbers": {"options": {"fx_buffer_pct": 0.5, "enable_tax_awareness": 1}},
    }
    body = (
        json.dumps(request, ensure_ascii=False)
        .encode()
        .replace(b"0.5}", b"0.50}")
        .replace(b": 1}", b": 1.0}")
    )
    alone = (await flow.simulate()).run
    batch = json.loads(await flow.flow.analyze(body, correlation_id="corr-2"))
    ids = [result["rebalance_run_id"] for result in batch["results"].values()]

    assert len(ids) == 2
    for run_id in (alone.rebalance_run_id, *ids):
        run = await flow.store.dpm_runs.get(DEFAULT_TENANT, run_id)
        asked = await flow.store.dpm_runs.get_request(DEFAULT_TENANT, run.request_id)
        assert recompute(flow.readers, run, asked) == run.result


async def test_a_taken_run_id_is_drawn_again(flow, monkeypatch):
    admit = flow.store.dpm_runs.admit
    refused = []

    async def admit_second(admission):
        if not refused:
            refused.append(admission.run.rebalance_run_id)
            raise RunExists()
        return await admit(admission)

    monkeypatch.setattr(flow.store.dpm_runs, "admit", admit_second, raising=False)
    admitted = await flow.simulate()

    assert admitted.run.rebalance_run_id not in refused
    assert json.loads(admitted.run.result)["rebalance_run_id"] == admitted.run.rebalance_run_id


async def test_an_invalid_body_leaves_the_key_free(flow):
    with pytest.raises(RequestInvalid):
        await flow.simulate(b"{}")

    assert not (await flow.simulate()).replayed


async def test_a_scenario_that_breaks_the_engine_is_named_and_harms_no_other(flow, monkeypatch):
    request = json.loads(DEMO)
    del request["options"]
    request["scenarios"] = {"good": {}, "bad": {"options": {"compare_target_methods_tolerance": "7"}}}
    simulate = __import__("service.flows.dpm_computing", fromlist=["_simulate"])._simulate

    def breaks(asked, identity):
        if asked.options.compare_target_methods_tolerance == 7:
            raise LookupError("inner")
        return simulate(asked, identity)

    monkeypatch.setattr("service.flows.dpm_computing._simulate", breaks)
    batch = json.loads(await flow.flow.analyze(json.dumps(request).encode(), correlation_id=None))

    assert list(batch["results"]) == ["good"]
    assert batch["failed_scenarios"] == {"bad": "SCENARIO_EXECUTION_ERROR: LookupError"}
