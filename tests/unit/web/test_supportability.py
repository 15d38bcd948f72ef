"""The counts operations see."""

from datetime import UTC, datetime

from service.domains.callers import DEFAULT_TENANT
from service.domains.operations import Operation, OperationStatus, OperationType

SUMMARY = "/rebalance/supportability/summary"
FIELDS = [
    "store_backend",
    "retention_days",
    "run_count",
    "operation_count",
    "operation_status_counts",
    "run_status_counts",
    "workflow_decision_count",
    "workflow_action_counts",
    "workflow_reason_code_counts",
    "lineage_edge_count",
    "oldest_run_created_at",
    "newest_run_created_at",
    "oldest_operation_created_at",
    "newest_operation_created_at",
]


async def test_an_empty_store_has_counts_of_zero_and_no_bounds(start):
    client = await start(retention_days=30)

    answered = await client.get(SUMMARY)
    summary = await answered.json()

    assert answered.status == 200
    assert list(summary) == FIELDS
    assert summary == {
        "store_backend": "IN_MEMORY",
        "retention_days": 30,
        "run_count": 0,
        "operation_count": 0,
        "operation_status_counts": {},
        "run_status_counts": {},
        "workflow_decision_count": 0,
        "workflow_action_counts": {},
        "workflow_reason_code_counts": {},
        "lineage_edge_count": 0,
        "oldest_run_created_at": None,
        "newest_run_created_at": None,
        "oldest_operation_created_at": None,
        "newest_operation_created_at": None,
    }


async def test_what_is_stored_is_counted(start, demo, store):
    client = await start(workflow_enabled=True)
    at = datetime.now(UTC)
    for key in ("key-1", "key-2"):
        answer = await client.post("/rebalance/simulate", json=demo, headers={"Idempotency-Key": key})
        run = await answer.json()
    await store.operations.submit(
        Operation(
            operation_id="dop_1",
            tenant_id=DEFAULT_TENANT,
            operation_type=OperationType.ANALYZE_SCENARIOS,
            status=OperationStatus.PENDING,
            correlation_id="corr-1",
            created_at=at,
            request=b"{}",
        )
    )

    summary = await (await client.get(SUMMARY)).json()

    assert summary["run_count"] == 2
    assert summary["run_status_counts"] == {run["status"]: 2}
    assert summary["operation_status_counts"] == {"PENDING": 1}
    assert summary["lineage_edge_count"] == 5
    assert summary["oldest_operation_created_at"] == summary["newest_operation_created_at"] == at.isoformat()
    assert summary["oldest_run_created_at"] < summary["newest_run_created_at"]


async def test_the_summary_can_be_switched_off(start):
    for changes, code in (
        ({"support_apis_enabled": False}, "DPM_SUPPORT_APIS_DISABLED"),
        ({"summary_apis_enabled": False}, "DPM_SUPPORTABILITY_SUMMARY_APIS_DISABLED"),
    ):
        refused = await (await start(**changes)).get(SUMMARY)
        assert refused.status == 404
        assert (await refused.json())["detail"] == code
