"""What the command prints and exits with; the computing is done in this process."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from scripts.harness.servers import ROOT
from service.admin.verification import verifier
from service.cli.commands import main
from service.domains.dpm_runs.values import DEFAULT_TENANT, RecordRun
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.engines import EngineDeadlineExceeded
from service.errors.storage import StoreUnavailable
from service.flows.dpm_runs.computing import simulate_body
from service.flows.dpm_runs.recording import simulated_request, simulated_run
from service.flows.dpm_runs.replays import compute_again
from service.storage.memory.store import MemoryStore
from service.wiring import engines, readers, stores

DEMO = (ROOT / "scripts" / "demo" / "multi_currency.json").read_bytes()
FIRST = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


class ThisProcess:
    """Stands in for the engine processes."""

    def __init__(self, *_):
        pass

    async def __call__(self, work, *args):
        return work(*args)

    async def close(self):
        pass


@pytest.fixture
def store(monkeypatch):
    opened = MemoryStore()

    async def open_it(_):
        opened.state.closed = False
        return opened

    monkeypatch.setattr(stores, "open_store", open_it)
    monkeypatch.setattr(engines, "engine_processes_of", ThisProcess)
    return opened


def ids(store):
    return sorted(run_id for _, run_id in store.state.runs)


def record(store, count):
    async def admit():
        for number in range(count):
            run_id = f"rr_{number:032x}"
            computed = simulate_body(readers.LENIENT_READERS, DEMO, run_id, "corr-1")
            run = simulated_run(
                computed,
                run_id,
                idempotency_key=f"key-{number}",
                correlation_id="corr-1",
                created_at=FIRST + timedelta(hours=number),
            )
            admission = RecordRun(run=run, request=simulated_request(computed, run), replay=True)
            await store.dpm_runs.admit(admission, KEEP_ALL)

    asyncio.run(admit())


def change(store, run_id, **changes):
    kept = store.state.runs[DEFAULT_TENANT, run_id]
    store.state.runs[DEFAULT_TENANT, run_id] = replace(kept, run=replace(kept.run, **changes))


def verified(*args):
    return CliRunner().invoke(main, ["verify", *args])


def test_runs_that_match_are_counted(store, monkeypatch):
    record(store, 5)
    monkeypatch.setattr(verifier, "RUNS_AT_ONCE", 2)

    done = verified()

    assert (done.exit_code, done.output) == (0, "5 runs checked, 0 do not match\n")


def test_an_empty_store_matches(store):
    assert verified().output == "0 runs checked, 0 do not match\n"


def test_each_run_that_does_not_match_has_its_line_and_the_others_are_checked_all_the_same(store):
    record(store, 3)
    first, second, third = ids(store)
    result = store.state.runs[DEFAULT_TENANT, first].run.result
    change(store, first, result=result.replace(b'"quantity":"', b'"quantity":"9', 1))
    change(store, second, engine_version="0")
    kept = store.state.requests[DEFAULT_TENANT, third]
    store.state.requests[DEFAULT_TENANT, third] = replace(kept, request=replace(kept.request, body=b"{}"))

    done = verified()

    assert done.exit_code == 1
    assert done.output.splitlines() == [
        f"{third}: $ (RequestInvalid)",
        f"{second}: DPM_REPLAY_ENGINE_UNKNOWN: this build has no engine version 0",
        f"{first}: $.before.positions[0].quantity",
        "3 runs checked, 3 do not match",
    ]


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (["--limit", "2"], 2),
        (["--limit", "9"], 4),
        (["--from", "2026-11-21T10:30:00"], 3),
        (["--from", "2026-11-21T18:30:00+08:00", "--to", "2026-11-21T11:30:00Z"], 2),
        (["--to", "2026-11-20"], 0),
    ],
)
def test_the_walk_can_be_narrowed(store, args, count):
    record(store, 4)

    assert verified(*args).output == f"{count} runs checked, 0 do not match\n"


def test_a_run_whose_work_is_given_up_has_its_line_and_the_others_are_checked(store, monkeypatch):
    record(store, 3)
    second = ids(store)[1]

    class Exceeding(ThisProcess):
        async def __call__(self, work, *args):
            if work is compute_again and args[1].rebalance_run_id == second:
                raise EngineDeadlineExceeded(seconds=20)
            return work(*args)

    monkeypatch.setattr(engines, "engine_processes_of", Exceeding)

    done = verified()

    assert done.exit_code == 1
    assert done.output.splitlines() == [
        f"{second}: ENGINE_DEADLINE_EXCEEDED: not computed within 20 seconds of processor time",
        "3 runs checked, 1 do not match",
    ]


def test_a_run_that_is_purged_meanwhile_is_not_counted(store, monkeypatch):
    record(store, 2)
    get = store.dpm_runs.get_sealed

    async def purged(tenant_id, run_id, cutoff):
        store.state.runs.pop((tenant_id, ids(store)[0]), None)
        return await get(tenant_id, run_id, cutoff)

    monkeypatch.setattr(store.dpm_runs, "get_sealed", purged)

    assert verified().output == "1 runs checked, 0 do not match\n"


@pytest.mark.parametrize("args", [["--from", "yesterday"], ["--limit", "0"]])
def test_a_wrong_command_line_is_said(store, args):
    assert verified(*args).exit_code == 2


def test_a_store_that_cannot_be_used_is_not_a_mismatch(store, monkeypatch):
    async def down():
        raise StoreUnavailable()

    monkeypatch.setattr(store, "check", down)

    done = verified()

    assert done.exit_code == 3
    assert "DPM_SUPPORTABILITY_STORE_UNAVAILABLE" in done.stderr


def test_on_a_terminal_a_bar_is_shown_and_lines_stay_readable(store, monkeypatch):
    record(store, 2)
    change(store, ids(store)[0], engine_version="0")
    monkeypatch.setattr("service.cli.verify.is_terminal", lambda: True)

    done = verified()

    assert done.exit_code == 1
    assert f"\n{ids(store)[0]}: DPM_REPLAY_ENGINE_UNKNOWN" in done.output
    assert done.output.endswith("\n2 runs checked, 1 do not match\n")
