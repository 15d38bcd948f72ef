"""What a replay decides: where two values differ first, where it is computed, what verifying adds."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.harness.servers import ROOT
from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.dpm_runs.values import RecordRun
from service.domains.retention.cutoffs import KEEP_ALL, Retention
from service.domains.values.canonical import digest_of
from service.domains.values.json_differences import Difference, first_difference
from service.engines.dpm.artifact import build_artifact
from service.errors.dpm_runs import RunExists
from service.flows.dpm_runs.computing import Readers, simulate_body
from service.flows.dpm_runs.recording import simulated_request, simulated_run
from service.flows.dpm_runs.replays import Outcome, ReplayFlow
from service.runtime.clock import SystemClock
from service.storage.memory.store import MemoryStore
from service.web.requests import bodies
from tests.runtimes import a_runtime

DEMO = (ROOT / "scripts" / "demo" / "multi_currency.json").read_bytes()
READERS = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "1", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("recorded", "replayed", "expected"),
    [
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "x"}]}, None),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": [{"b": "1"}]}, {"a": [{"b": "2"}]}, Difference("$.a[0].b", "1", "2")),
        ({"a": 1, "b": 1}, {"a": 2, "b": 2}, Difference("$.a", 1, 2)),
        ({"a": 1}, {"a": 1, "b": None}, Difference("$.b", None, None)),
        ({"a": 1, "b": 2}, {"b": 2}, Difference("$.a", 1, None)),
        ([1], [1, 2], Difference("$[1]", None, 2)),
        ([1, 2], [1], Difference("$[1]", 2, None)),
        ({"a": 1}, {"a": True}, Difference("$.a", 1, True)),
        ({"a": 1}, {"a": "1"}, Difference("$.a", 1, "1")),
        ({"a": {}}, {"a": []}, Difference("$.a", {}, [])),
        ({"sector:TECH": 1}, {"sector:TECH": 2}, Difference("$['sector:TECH']", 1, 2)),
        ({"it's \\": 1}, {"it's \\": 2}, Difference("$['it\\'s \\\\']", 1, 2)),
    ],
)
def test_the_first_difference_is_named_by_its_path(recorded, replayed, expected):
    assert first_difference(recorded, replayed) == expected


@given(JSON, JSON)
def test_two_values_differ_either_way_or_not_at_all(left, right):
    assert first_difference(left, left) is None
    assert (first_difference(left, right) is None) == (first_difference(right, left) is None)


class Flow:
    """A flow over one recorded run, with its offloaded work written down."""

    def __init__(self, *, persisted=False):
        self.store = MemoryStore()
        self.drawn = 0
        self.offloaded = []
        self.flow = ReplayFlow(
            store=self.store,
            runtime=a_runtime(
                clock=SystemClock(), retention=Retention(0, 86_400), new_id=self.draw, offload=self.offload
            ),
            readers=READERS,
            artifacts_persisted=persisted,
        )

    def draw(self, prefix):
        self.drawn += 1
        return f"{prefix}_{self.drawn:032x}"

    async def offload(self, work, *args):
        self.offloaded.append(work.__name__)
        return work(*args)

    async def record(self, *, artifact=False):
        computed = simulate_body(READERS, DEMO, "rr_1", "corr-1")
        at = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
        run = simulated_run(
            Caller.local(), computed, "rr_1", idempotency_key="key-1", correlation_id="corr-1", created_at=at
        )
        admission = RecordRun(
            run=run,
            request=simulated_request(computed, run),
            replay=True,
            artifact=build_artifact(run) if artifact else None,
        )
        await self.store.dpm_runs.admit(admission, KEEP_ALL)
        return run

    async def replay(self, *, record=False):
        return await self.flow.replay(Caller.local(), "rr_1", record=record, correlation_id="corr-2")


async def test_runs_are_computed_again_off_the_loop():
    flow = Flow()
    await flow.record()

    await flow.replay()
    await flow.replay(record=True)

    assert flow.offloaded == ["compute_again", "compute_again", "recompute_run"]


async def test_a_taken_run_id_is_drawn_again(monkeypatch):
    flow = Flow(persisted=True)
    await flow.record()
    admit = flow.store.dpm_runs.admit_replay
    refused = []

    async def admit_second(replay, cutoff):
        if not refused:
            refused.append(replay.run.rebalance_run_id)
            raise RunExists()
        await admit(replay, cutoff)

    monkeypatch.setattr(flow.store.dpm_runs, "admit_replay", admit_second)
    found = await flow.replay(record=True)

    run = await flow.store.dpm_runs.get(DEFAULT_TENANT, found.recorded_run_id, KEEP_ALL)
    kept = await flow.store.artifacts.find(DEFAULT_TENANT, found.recorded_run_id, KEEP_ALL)
    assert found.recorded_run_id not in refused
    assert kept == build_artifact(run)


async def test_verifying_holds_a_kept_artifact_to_its_run():
    flow = Flow()
    await flow.record(artifact=True)
    key, kept = next(iter(flow.store.state.artifacts.items()))

    assert (await flow.flow.verify(Caller.local(), "rr_1", KEEP_ALL)).outcome is Outcome.MATCH
    body = kept.body.replace(b'"1.0"', b'"1.1"')
    for changed, difference in (
        (replace(kept, body=body), Difference("artifact", digest_of(body), digest_of(kept.body))),
        (
            replace(kept, artifact_hash="sha256:other"),
            Difference("artifact_hash", "sha256:other", kept.artifact_hash),
        ),
    ):
        flow.store.state.artifacts[key] = changed
        found = await flow.flow.verify(Caller.local(), "rr_1", KEEP_ALL)
        assert (found.outcome, found.digests_intact) == (Outcome.MISMATCH, False)
        assert found.difference == difference


async def test_verifying_holds_the_request_hash_to_the_request():
    flow = Flow()
    run = await flow.record()
    kept = flow.store.state.runs[DEFAULT_TENANT, "rr_1"]
    other = run.result.replace(run.request_hash.encode(), b"sha256:other")
    flow.store.state.runs[DEFAULT_TENANT, "rr_1"] = replace(
        kept, run=replace(run, request_hash="sha256:other", result=other), result_sha256=digest_of(other)
    )

    replayed = await flow.replay()
    verified = await flow.flow.verify(Caller.local(), "rr_1", KEEP_ALL)

    assert replayed.outcome is Outcome.MATCH
    assert verified.difference == Difference("request_hash", "sha256:other", run.request_hash)
    assert (verified.outcome, verified.digests_intact) == (Outcome.MISMATCH, False)
