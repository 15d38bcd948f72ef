"""What a server counts."""

import asyncio
import math

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from service.observability.instruments import ENGINE_PROCESS_ENDS, PoolUse
from service.observability.server_metrics import PURGED_KINDS, ServerMetrics
from service.runtime.engine_process import DEADLINE
from service.web.http.connections import Connections


def figures(metrics):
    """Looks a figure up by its name and the values of its labels, in any order."""
    told = {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }
    return lambda name, *labels: told[name, frozenset(labels)]


def test_requests_are_counted_by_method_route_and_status_and_timed_by_route():
    metrics = ServerMetrics()
    metrics.answered("GET", "/rebalance/runs/{id}", 200, 0.004)
    metrics.answered("GET", "/rebalance/runs/{id}", 200, 0.2)
    metrics.answered("GET", "/rebalance/runs/{id}", 404, 0.001)

    seen = figures(metrics)

    assert seen("lotus_requests_total", "GET", "/rebalance/runs/{id}", "200") == 2.0
    assert seen("lotus_requests_total", "GET", "/rebalance/runs/{id}", "404") == 1.0
    assert seen("lotus_http_request_duration_seconds_count", "GET", "/rebalance/runs/{id}") == 3.0
    assert seen("lotus_http_request_duration_seconds_sum", "GET", "/rebalance/runs/{id}") == pytest.approx(
        0.205
    )
    assert seen("lotus_http_request_duration_seconds_bucket", "GET", "/rebalance/runs/{id}", "0.005") == 2.0


def test_replays_and_refusals_are_counted_by_what_they_were():
    metrics = ServerMetrics()
    metrics.replayed("/rebalance/simulate")
    metrics.refused(409, "IDEMPOTENCY_KEY_CONFLICT")
    metrics.refused(503, "SERVICE_STOPPING")
    metrics.refused(503, "SERVICE_STOPPING")

    seen = figures(metrics)

    assert seen("lotus_idempotent_replays_total", "/rebalance/simulate") == 1.0
    assert seen("lotus_http_errors_total", "409", "IDEMPOTENCY_KEY_CONFLICT") == 1.0
    assert seen("lotus_http_errors_total", "503", "SERVICE_STOPPING") == 2.0


def test_those_who_wait_and_those_who_were_turned_away_are_counted_when_somebody_looks():
    metrics = ServerMetrics()
    before = figures(metrics)
    metrics.watch_capacity(
        waiting={"work": lambda: 3, "lookups": lambda: 0},
        expected_wait={"work": lambda: 0.25},
        turned_away=lambda: 17,
        answers_cut=lambda: 2,
    )

    seen = figures(metrics)

    assert before("lotus_http_requests_shed_total") == 0.0
    assert (seen("lotus_http_requests_queued", "work"), seen("lotus_http_requests_queued", "lookups")) == (
        3.0,
        0.0,
    )
    assert seen("lotus_http_requests_expected_wait_seconds", "work") == 0.25
    assert seen("lotus_http_requests_shed_total") == 17.0
    assert seen("lotus_http_answers_cut_total") == 2.0


def test_connections_are_counted_when_somebody_looks():
    metrics = ServerMetrics()
    connections = Connections(100)
    connections.open, connections.closed_idle = 7, 4
    metrics.watch_connections(connections)

    seen = figures(metrics)

    assert seen("lotus_http_connections_max") == 100.0
    assert (seen("lotus_http_connections", "idle"), seen("lotus_http_connections", "busy")) == (0.0, 7.0)
    assert seen("lotus_http_idle_connections_closed_total") == 4.0


def test_engine_work_and_acts_of_the_store_are_timed_by_name():
    process = (metrics := ServerMetrics()).process
    process.engine_worked("simulate_body", "loop", 0.004)
    process.engine_worked("simulate_body", "process", 0.4)
    process.act_timer("dpm_runs", "admit")(0.02)
    process.act_failed("dpm_runs", "admit", "READ_ONLY")

    seen = figures(metrics)

    assert seen("lotus_engine_duration_seconds_sum", "simulate_body", "loop") == pytest.approx(0.004)
    assert seen("lotus_engine_duration_seconds_sum", "simulate_body", "process") == pytest.approx(0.4)
    assert seen("lotus_store_call_duration_seconds_count", "dpm_runs", "admit") == 1.0
    assert seen("lotus_store_failures_total", "dpm_runs", "admit", "READ_ONLY") == 1.0


def test_a_pool_is_counted_when_somebody_looks():
    metrics = ServerMetrics()
    uses = [PoolUse(0, 0, 0, 8), PoolUse(8, 1, 3, 8)]
    metrics.process.watch_pool("runs", lambda: uses[0])
    assert figures(metrics)("lotus_pool_connections", "runs", "in_use") == 0.0

    uses.pop(0)
    seen = figures(metrics)

    assert seen("lotus_pool_connections", "runs", "in_use") == 7.0
    assert seen("lotus_pool_connections", "runs", "idle") == 1.0
    assert seen("lotus_pool_connections_max", "runs") == 8.0
    assert seen("lotus_pool_waiting", "runs") == 3.0


def test_what_is_known_of_operations_is_not_kept_up_once_the_store_is_silent():
    metrics = ServerMetrics()
    for store in ("runs", "proposals"):
        metrics.operations_kept(store, {"SUCCEEDED": 4})
        metrics.operations_unfinished(store, "CREATE_PROPOSAL", "PENDING", count=2, oldest_seconds=90.0)
        metrics.store_answered(store)
    told = figures(metrics)

    metrics.store_silent("runs")
    seen = figures(metrics)

    assert told("lotus_operations", "runs", "SUCCEEDED") == 4.0
    assert told("lotus_operations", "runs", "FAILED") == 0.0
    assert told("lotus_operations_unfinished", "runs", "CREATE_PROPOSAL", "PENDING") == 2.0
    assert told("lotus_operation_oldest_seconds", "runs", "CREATE_PROPOSAL", "PENDING") == 90.0
    assert (told("lotus_store_up", "runs"), seen("lotus_store_up", "runs")) == (1.0, 0.0)
    assert math.isnan(seen("lotus_operations", "runs", "SUCCEEDED"))
    assert math.isnan(seen("lotus_operation_oldest_seconds", "runs", "CREATE_PROPOSAL", "PENDING"))
    assert seen("lotus_operations", "proposals", "SUCCEEDED") == 4.0


def test_a_purge_is_counted_by_what_it_removed_and_by_how_it_ended():
    metrics = ServerMetrics()
    before = figures(metrics)
    metrics.purged({"runs": 3, "edges": 7}, 0.2)
    metrics.purge_failed()

    seen = figures(metrics)

    assert {
        kind: before("lotus_retention_deleted_rows_total", kind) for kind in PURGED_KINDS
    } == dict.fromkeys(PURGED_KINDS, 0.0)
    assert (
        seen("lotus_retention_deleted_rows_total", "runs"),
        seen("lotus_retention_deleted_rows_total", "edges"),
    ) == (
        3.0,
        7.0,
    )
    assert seen("lotus_purge_seconds_sum") == pytest.approx(0.2)
    assert seen("lotus_purge_failures_total") == 1.0
    assert seen("lotus_purge_last_success_timestamp_seconds") > before(
        "lotus_purge_last_success_timestamp_seconds"
    )


def test_a_shadow_tells_what_it_kept_missed_and_did_otherwise():
    metrics = ServerMetrics()
    waiting = ["one", "two"]
    metrics.shadow_backlog(lambda: len(waiting))
    metrics.shadow_written()
    metrics.shadow_dropped()
    metrics.shadow_differed("ANSWER")

    seen = figures(metrics)

    assert seen("lotus_shadow_writes_total") == 1.0
    assert seen("lotus_shadow_dropped_total") == 1.0
    assert seen("lotus_shadow_differences_total", "ANSWER") == 1.0
    assert seen("lotus_shadow_backlog") == 2.0


def test_engine_processes_that_were_replaced_are_counted_by_cause():
    metrics = ServerMetrics()
    metrics.process.engine_process_ended(DEADLINE)
    metrics.process.engine_process_ended(DEADLINE)

    seen = figures(metrics)
    counted = {cause: seen("lotus_engine_processes_ended_total", cause) for cause in ENGINE_PROCESS_ENDS}
    assert counted == {cause: 2.0 if cause == DEADLINE else 0.0 for cause in ENGINE_PROCESS_ENDS}


def test_sweeps_are_counted_by_the_fate_of_operations():
    metrics = ServerMetrics()
    metrics.process.recovered(requeued=2, exhausted=1, expired=0, overdue=3)

    seen = figures(metrics)

    assert seen("lotus_operations_recovered_total", "TAKEN_BACK") == 2.0
    assert seen("lotus_operations_recovered_total", "EXHAUSTED") == 1.0
    assert seen("lotus_operations_recovered_total", "EXPIRED") == 0.0


class LateLoop:
    """A loop whose clock shows given instants, one a look."""

    def __init__(self, *instants):
        self._instants = iter(instants)

    def time(self):
        return next(self._instants)


async def test_a_loop_that_comes_back_late_is_told_how_late(monkeypatch):
    metrics = ServerMetrics()
    naps = iter([None, asyncio.CancelledError()])

    async def nap(_):
        if (end := next(naps)) is not None:
            raise end

    monkeypatch.setattr(
        "service.observability.process_metrics.asyncio.get_running_loop", lambda: LateLoop(10.0, 10.35, 10.35)
    )
    monkeypatch.setattr("service.observability.process_metrics.asyncio.sleep", nap)
    with pytest.raises(asyncio.CancelledError):
        await metrics.process.sample_loop()

    seen = figures(metrics)
    assert seen("lotus_event_loop_lag_seconds_count") == 1.0
    assert seen("lotus_event_loop_lag_seconds_sum") == pytest.approx(0.25)


def test_nothing_is_registered_for_the_whole_process():
    ServerMetrics()

    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("lotus")]
