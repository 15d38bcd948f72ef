"""What a worker counts."""

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from service.observability.worker_metrics import OUTCOMES, WorkerMetrics


def figures(metrics):
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_outcome_is_there_before_it_was_seen():
    seen = figures(WorkerMetrics())

    assert {outcome: seen["lotus_operations_ended_total", outcome] for outcome in OUTCOMES} == dict.fromkeys(
        OUTCOMES, 0.0
    )
    assert seen["lotus_operations_started_total",] == 0.0


def test_attempts_are_counted_with_how_they_ended_and_how_long_they_took():
    metrics = WorkerMetrics()
    metrics.started(0.02, attempt=1)
    metrics.ended("SUCCEEDED", 0.4)
    metrics.started(0.03, attempt=1)
    metrics.ended("LEASE_LOST", 2.0)

    seen = figures(metrics)

    assert seen["lotus_operations_started_total",] == 2.0
    assert seen["lotus_operations_ended_total", "SUCCEEDED"] == 1.0
    assert seen["lotus_operations_ended_total", "LEASE_LOST"] == 1.0
    assert seen["lotus_operation_seconds_sum",] == pytest.approx(2.4)
    assert seen["lotus_operation_seconds_bucket", "0.5"] == 1.0
    assert seen["lotus_operation_wait_seconds_sum",] == pytest.approx(0.05)


def test_only_a_first_attempt_tells_how_long_operations_wait():
    metrics = WorkerMetrics()
    metrics.started(0.02, attempt=1)
    metrics.started(600.0, attempt=2)

    seen = figures(metrics)

    assert seen["lotus_operations_started_total",] == 2.0
    assert seen["lotus_operation_retries_total",] == 1.0
    assert seen["lotus_operation_wait_seconds_count",] == 1.0


def test_gauges_follow_what_they_are_told():
    metrics = WorkerMetrics()
    running = ["one", "two"]
    metrics.watch_in_flight(lambda: len(running))
    metrics.waiting(5)
    assert figures(metrics)["lotus_operations_in_flight",] == 2.0
    assert figures(metrics)["lotus_job_queue_depth",] == 5.0

    running.pop()
    metrics.waiting(0)

    assert figures(metrics)["lotus_operations_in_flight",] == 1.0
    assert figures(metrics)["lotus_job_queue_depth",] == 0.0


def test_nothing_is_registered_for_the_whole_process():
    WorkerMetrics()

    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("lotus")]
