"""What the flow decides: where work is done, what is recorded, when an id is drawn again."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from scripts.harness.servers import ROOT
from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.dpm_runs.values import RunFilter
from service.domains.idempotency import KeyScope
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.engines.dpm import v1, versions
from service.engines.dpm.artifact import build_artifact
from service.errors.dpm_runs import RunExists, RunNotFound
from service.errors.engines import EngineDeadlineExceeded, EngineMemoryExceeded, ResultTooLarge
from service.errors.requests import RequestInvalid
from service.flows.dpm_runs.analyses import analyze_body
from service.flows.dpm_runs.computing import Readers, recompute
from service.flows.dpm_runs.flow import WHOLE_BATCH_BYTES_MAX, DpmRunFlow
from service.flows.limits.result_sizes import RESULT_BYTES_MAX
from service.flows.limits.work_costs import LOOP_BODY_BYTES_MAX, LOOP_COMMAS_MAX
from service.runtime.process_pool import EngineProcessDied
from service.storage.memory.store import MemoryStore
from service.web.answers.dpm_runs import batch_answer
from service.web.requests import bodies
from tests.runtimes import a_runtime

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DEMO = (ROOT / "scripts" / "demo" / "multi_currency.json").read_bytes()


class Flow:
    """A flow with its ids counted, its clock set by hand and its offloaded work written down."""

    def __init__(self, artifacts_persisted=False, result_bytes_max=RESULT_BYTES_MAX):
        self.store = MemoryStore()
        self.at = AT
        self.drawn = 0
        self.offloaded = []
        self.before = None
        self.readers = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
        self.flow = DpmRunFlow(
            store=self.store,
            runtime=a_runtime(
                clock=self,
                new_id=self.draw,
                offload=self.offload,
                retention=Retention(run_days=1, operation_seconds=3600),
                result_bytes_max=result_bytes_max,
            ),
            readers=self.readers,
            replay_enabled=True,
            artifacts_persisted=artifacts_persisted,
        )

    def now(self):
        return self.at

    def draw(self, prefix):
        self.drawn += 1
        return f"{prefix}_{self.drawn:032x}"

    async def offload(self, work, *args):
        self.offloaded.append(work.__name__)
        if self.before is not None:
            self.before(work, args)
        return work(*args)

    async def simulate(self, body=DEMO, key="key-1"):
        return await self.flow.simulate(Caller.local(), body, idempotency_key=key, correlation_id="corr-1")

    async def analyze(self, *scenarios, padding=0, correlation_id=None):
        request = json.loads(DEMO)
        del request["options"]
        request["scenarios"] = {name: {} for name in scenarios}
        body = json.dumps(request).encode() + b" " * padding
        return json.loads(
            batch_answer(await self.flow.analyze(Caller.local(), body, correlation_id=correlation_id))
        )

    async def artifact_of(self, run_id):
        return await self.store.artifacts.find(DEFAULT_TENANT, run_id, KEEP_ALL)


@pytest.fixture
def flow():
    return Flow()


async def test_a_small_request_is_simulated_at_once_and_a_large_one_elsewhere(flow):
    padded = DEMO + b" " * LOOP_BODY_BYTES_MAX

    await flow.simulate(key="small")
    small = list(flow.offloaded)
    await flow.simulate(padded, key="large")
    await flow.simulate(padded, key="large")

    assert small == []
    assert flow.offloaded == ["simulate_body", "hash_body"]


def with_caps(method, caps=40):
    """A small book, and caps enough to make finding its weights take long, or not."""
    request = json.loads(DEMO)
    request["options"] = {
        "target_method": method,
        "group_constraints": {f"sector:S{number}": {"max_weight": "0.5"} for number in range(caps)},
    }
    return json.dumps(request, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("body", "elsewhere"),
    [
        (with_caps("HEURISTIC"), False),
        (with_caps("SOLVER", caps=2), False),
        (with_caps("SOLVER"), True),
        (with_caps("SOLVER").replace(b'"SOLVER"', b'"\\u0053OLVER"'), True),
        (with_caps("HEURISTIC")[:-2] + b',"compare_target_methods":true}}', True),
    ],
    ids=["heuristic", "few caps", "solver", "spelled", "compared"],
)
async def test_what_takes_long_goes_elsewhere_however_it_is_spelled(flow, monkeypatch, body, elsewhere):
    # What there is to read is not the question.
    monkeypatch.setattr("service.flows.limits.work_costs.LOOP_COMMAS_MAX", len(body))
    assert len(body) <= LOOP_BODY_BYTES_MAX

    await flow.simulate(body)

    assert flow.offloaded == (["simulate_body"] if elsewhere else [])


@pytest.mark.parametrize(
    ("more", "switch", "elsewhere"),
    [(0, b'"true"', False), (1, b'"true"', True), (1, b"true", False)],
    ids=["few values", "many values", "many values, plain"],
)
async def test_only_a_plain_body_of_many_values_is_read_on_the_loop(flow, more, switch, elsewhere):
    request = DEMO.replace(b'"options": {', b'"options": {"allow_restricted": ' + switch + b",", 1)
    lacking = LOOP_COMMAS_MAX + more - request.count(b",") - 1
    body = request.rstrip()[:-1] + b',"more":[' + b"0," * lacking + b"0]}"
    assert body.count(b",") == LOOP_COMMAS_MAX + more

    await flow.simulate(body)

    assert flow.offloaded == (["simulate_body"] if elsewhere else [])


async def test_a_batch_always_goes_elsewhere(flow):
    await flow.analyze("only")

    assert flow.offloaded == ["analyze_body"]


async def test_a_result_beyond_its_bound_is_refused_and_not_kept():
    size = len((await Flow().simulate()).run.result)
    exact, less = Flow(result_bytes_max=size), Flow(result_bytes_max=size - 1)

    assert len((await exact.simulate()).run.result) == size
    for body in (DEMO, DEMO + b" " * LOOP_BODY_BYTES_MAX):
        with pytest.raises(ResultTooLarge, match=str(size - 1)):
            await less.simulate(body)
    assert (await less.flow.list(Caller.local(), RunFilter(), limit=9, cursor=None)).items == ()


@pytest.mark.parametrize("padding", [0, WHOLE_BATCH_BYTES_MAX], ids=["whole", "by scenario"])
async def test_a_batch_answers_as_many_results_as_it_has_room_for(padding):
    whole = await Flow().analyze("a", "b", "c", padding=padding)
    size = len(json.dumps(whole["results"]["a"], separators=(",", ":"))) + 1000

    answer = await Flow(result_bytes_max=size).analyze("a", "b", "c", padding=padding)

    assert list(answer["results"]) == ["a"]
    assert answer["failed_scenarios"] == {
        name: "SCENARIO_EXECUTION_ERROR: RESULT_TOO_LARGE" for name in ("b", "c")
    }
    assert answer["warnings"] == ["PARTIAL_BATCH_FAILURE"]


@pytest.mark.parametrize("padding", [0, WHOLE_BATCH_BYTES_MAX], ids=["whole", "by scenario"])
async def test_a_scenario_is_computed_within_what_its_batch_has_left(monkeypatch, padding):
    bounds = []

    def noting(asked, identity, bytes_max):
        bounds.append(bytes_max)
        return v1.simulate(asked, identity, bytes_max)

    monkeypatch.setattr(versions, "ENGINES", {version: noting for version in versions.ENGINES})
    answer = await Flow(result_bytes_max=100_000).analyze("a", "b", "c", padding=padding)

    taken = [
        len(json.dumps(answer[kept][name], separators=(",", ":"), ensure_ascii=False).encode())
        for name in ("a", "b")
        for kept in ("results", "comparison_metrics")
    ]
    assert bounds == [100_000, 100_000 - sum(taken[:2]), 100_000 - sum(taken)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (EngineDeadlineExceeded(seconds=20), "ENGINE_DEADLINE_EXCEEDED"),
        (EngineMemoryExceeded(bytes_max=1), "ENGINE_MEMORY_EXCEEDED"),
        (EngineProcessDied(), "EngineProcessDied"),
    ],
)
@pytest.mark.parametrize("padding", [0, WHOLE_BATCH_BYTES_MAX], ids=["whole", "by scenario"])
async def test_a_scenario_that_ends_its_process_fails_alone(flow, error, reason, padding):
    def ends(work, args):
        if work is analyze_body or args[-1] == "bad":
            raise error

    flow.before = ends
    answer = await flow.analyze("bad", "good", padding=padding)

    assert list(answer["results"]) == ["good"]
    assert answer["failed_scenarios"] == {"bad": f"SCENARIO_EXECUTION_ERROR: {reason}"}
    assert flow.offloaded[-3:] == ["plan_body", "run_scenario", "run_scenario"]


async def test_a_scenario_computed_by_itself_is_the_one_of_the_whole_batch():
    def ends(work, _):
        if work is analyze_body:
            raise EngineProcessDied()

    whole, parts = Flow(), Flow()
    parts.before = ends

    assert await whole.analyze("a", "b") == await parts.analyze("a", "b")


async def test_a_process_without_memory_ends_and_does_not_only_fail_a_scenario(monkeypatch):
    def fill(request, identity, bytes_max):
        raise MemoryError

    monkeypatch.setattr(versions, "ENGINES", {version: fill for version in versions.ENGINES})
    with pytest.raises(MemoryError):
        await Flow().analyze("a")


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
    batch = json.loads(batch_answer(await flow.flow.analyze(Caller.local(), body, correlation_id="corr-2")))
    ids = [result["rebalance_run_id"] for result in batch["results"].values()]

    assert len(ids) == 2
    for run_id in (alone.rebalance_run_id, *ids):
        run = await flow.store.dpm_runs.get(DEFAULT_TENANT, run_id, KEEP_ALL)
        asked = await flow.store.dpm_runs.get_request(DEFAULT_TENANT, run.request_id)
        assert recompute(flow.readers, run, asked) == run.result


async def test_a_taken_run_id_is_drawn_again(flow, monkeypatch):
    admit = flow.store.dpm_runs.admit
    refused = []

    async def admit_second(admission, cutoff):
        if not refused:
            refused.append(admission.run.rebalance_run_id)
            raise RunExists()
        return await admit(admission, cutoff)

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

    def breaks(asked, identity, bytes_max=None):
        if asked.options.compare_target_methods_tolerance == 7:
            raise LookupError("inner")
        return v1.simulate(asked, identity, bytes_max)

    monkeypatch.setitem(versions.ENGINES, versions.CURRENT_VERSION, breaks)
    batch = json.loads(
        batch_answer(
            await flow.flow.analyze(Caller.local(), json.dumps(request).encode(), correlation_id=None)
        )
    )

    assert list(batch["results"]) == ["good"]
    assert batch["failed_scenarios"] == {"bad": "SCENARIO_EXECUTION_ERROR: LookupError"}


@pytest.mark.parametrize("persisted", [True, False])
async def test_artifacts_are_kept_with_their_runs_when_they_are_to_be(persisted):
    flow = Flow(artifacts_persisted=persisted)
    run_ids = [(await flow.simulate()).run.rebalance_run_id]
    batch = await flow.analyze("base", "other")
    run_ids += [result["rebalance_run_id"] for result in batch["results"].values()]

    kept = [await flow.artifact_of(run_id) for run_id in run_ids]

    built = [build_artifact(await flow.flow.get(Caller.local(), run_id)) for run_id in run_ids]
    assert kept == (built if persisted else [None, None, None])


async def test_artifacts_of_large_results_are_built_elsewhere(monkeypatch):
    flow = Flow(artifacts_persisted=True)
    result = (await flow.simulate(key="small")).run.result
    assert flow.offloaded == []

    monkeypatch.setattr("service.flows.dpm_runs.artifacts.LOOP_ARTIFACT_BYTES_MAX", len(result) - 1)
    await flow.simulate(key="large")
    await flow.analyze("base", "other")

    assert flow.offloaded[-3:] == ["build_artifacts", "analyze_body", "build_artifacts"]


async def test_a_batch_keeps_what_it_was_sent_as_and_causes_its_runs(flow):
    batch = await flow.analyze("base", "other", correlation_id="what-if")
    batch_id = batch["batch_run_id"]

    request = await flow.store.dpm_runs.get_request(DEFAULT_TENANT, batch_id)
    caused = await flow.store.dpm_runs.list_by_cause(DEFAULT_TENANT, batch_id, KEEP_ALL)

    assert request.correlation_id == "what-if"
    assert [run.scenario for run in caused] == ["base", "other"]
    assert await flow.store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "what-if", KEEP_ALL) == batch_id


async def test_a_simulation_and_a_batch_without_a_correlation_id_are_found_as_no_batch(flow):
    admitted = await flow.simulate()
    batch = await flow.analyze("base")

    for request_id in (admitted.run.request_id, batch["batch_run_id"]):
        request = await flow.store.dpm_runs.get_request(DEFAULT_TENANT, request_id)
        assert request.correlation_id is None
    assert await flow.store.dpm_runs.find_newest_batch(DEFAULT_TENANT, "corr-1", KEEP_ALL) is None


async def test_a_batch_without_a_good_scenario_is_not_recorded(flow, monkeypatch):
    async def recorded(_):
        raise AssertionError("there is nothing to record")

    monkeypatch.setattr(flow.store.dpm_runs, "admit_batch", recorded, raising=False)
    request = json.loads(DEMO)
    del request["options"]
    request["scenarios"] = {"bad": {"options": {"max_turnover_pct": "7"}}}

    batch = json.loads(
        batch_answer(
            await flow.flow.analyze(Caller.local(), json.dumps(request).encode(), correlation_id=None)
        )
    )

    assert list(batch["failed_scenarios"]) == ["bad"]


async def test_an_expired_run_is_in_no_answer(flow):
    run = (await flow.simulate()).run
    lookups = (
        (flow.flow.get, run.rebalance_run_id),
        (flow.flow.get_newest_by_correlation, "corr-1"),
        (flow.flow.get_newest_by_request_hash, run.request_hash),
    )
    for lookup, value in lookups:
        assert await lookup(Caller.local(), value) == run

    flow.at = AT + timedelta(days=1, microseconds=1)

    for lookup, value in lookups:
        with pytest.raises(RunNotFound):
            await lookup(Caller.local(), value)
    assert (await flow.flow.list(Caller.local(), RunFilter(), limit=50, cursor=None)).items == ()


async def test_runs_are_listed_without_their_results(flow):
    run = (await flow.simulate()).run

    page = await flow.flow.list(
        Caller.local(), RunFilter(portfolio_id=run.portfolio_id), limit=1, cursor=None
    )

    assert [head.rebalance_run_id for head in page.items] == [run.rebalance_run_id]
    assert page.next_cursor is None
    assert not hasattr(page.items[0], "result")


@pytest.mark.parametrize("padding", [b"", b" " * LOOP_BODY_BYTES_MAX], ids=["here", "elsewhere"])
async def test_the_key_of_an_expired_run_stands_for_nothing(flow, padding):
    first = await flow.simulate(DEMO + padding)
    flow.at = AT + timedelta(days=1)
    assert (await flow.simulate(DEMO + padding)).replayed

    flow.at = AT + timedelta(days=1, microseconds=1)
    again = await flow.simulate(DEMO + padding)

    assert not again.replayed
    assert again.run.rebalance_run_id != first.run.rebalance_run_id


async def test_a_run_that_expires_between_its_key_and_itself_is_simulated_again(flow, monkeypatch):
    padded = DEMO + b" " * LOOP_BODY_BYTES_MAX
    first = await flow.simulate(padded)
    find = flow.store.idempotency.find

    async def find_and_wait(*asked):
        held = await find(*asked)
        flow.at = AT + timedelta(days=2)
        return held

    monkeypatch.setattr(flow.store.idempotency, "find", find_and_wait, raising=False)
    again = await flow.simulate(padded)

    assert not again.replayed
    held = await find(DEFAULT_TENANT, KeyScope.DPM_SIMULATE, "key-1", KEEP_ALL)
    assert held.rebalance_run_id == again.run.rebalance_run_id != first.run.rebalance_run_id
