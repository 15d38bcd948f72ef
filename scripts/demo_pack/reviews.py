"""A second pair of eyes on a run, and batches that are done later."""

from __future__ import annotations

from typing import Any

from scripts.demo_pack.desk import Desk, case, good, refused, require, segment
from scripts.demo_pack.scenarios import Chapter

CHAPTER = Chapter("Reviews and operations")
OPERATIONS = "/rebalance/operations"


def to_review(desk: Desk, name: str) -> str:
    """The id of a run that waits for a review."""
    run = desk.simulate(case("income_mandate", cash_band_max_weight="0.04"), name)
    run_id = str(run["rebalance_run_id"])
    standing = desk.get(f"/rebalance/runs/{run_id}/workflow")
    require(standing["workflow_status"] == "PENDING_REVIEW", standing["workflow_status"])
    return run_id


def a_decision(action: str, actor: str, seen: str | None = None) -> dict[str, Any]:
    decision = {"action": action, "reason_code": "DEMO_REVIEW", "comment": None, "actor_id": actor}
    return decision if seen is None else decision | {"expected_workflow_status": seen}


def a_batch() -> Any:
    document = case("income_mandate")
    del document["options"]
    document["scenarios"] = {
        "full": {"options": {}},
        "slow": {"options": {"max_turnover_pct": "0.10"}},
    }
    return document


@CHAPTER.scenario("A reviewer approves")
def approve(desk: Desk) -> str:
    run_id = to_review(desk, "approve")
    path = f"/rebalance/runs/{run_id}/workflow"
    approved = desk.post(f"{path}/actions", a_decision("APPROVE", "reviewer_lee"))
    again = desk.ask("POST", f"{path}/actions", a_decision("APPROVE", "reviewer_lee"))
    history = desk.get(f"{path}/history")["decisions"]
    require(approved["workflow_status"] == "APPROVED", approved["workflow_status"])
    refused(again, 409, "DPM_WORKFLOW_INVALID_TRANSITION")
    require([one["actor_id"] for one in history] == ["reviewer_lee"], "history says otherwise")
    return "PENDING_REVIEW, APPROVED; a second approval is 409, one decision is kept"


@CHAPTER.scenario("Two reviewers at once: one decides")
def race(desk: Desk) -> str:
    path = f"/rebalance/runs/{to_review(desk, 'review-race')}/workflow"
    said = [a_decision("APPROVE", "reviewer_lee", "PENDING_REVIEW")]
    said.append(a_decision("REJECT", "reviewer_mora", "PENDING_REVIEW"))
    answers = desk.at_once(
        *(lambda decision=decision: desk.ask("POST", f"{path}/actions", decision) for decision in said)
    )
    statuses = sorted(answer.status for answer in answers)
    require(statuses == [200, 409], f"{statuses}")
    [lost] = [answer for answer in answers if answer.status == 409]
    refused(lost, 409, "DPM_WORKFLOW_STATE_CONFLICT")
    [decision] = desk.get(f"{path}/history")["decisions"]
    return f"{decision['action']} by {decision['actor_id']} stands, the other is 409 {lost.code}"


@CHAPTER.scenario("What is ready needs no review")
def unneeded(desk: Desk) -> str:
    run = desk.simulate(case("income_mandate"), "unneeded")
    path = f"/rebalance/runs/{run['rebalance_run_id']}/workflow"
    require(desk.get(path)["workflow_status"] == "NOT_REQUIRED", "it asks for one")
    answer = desk.ask("POST", f"{path}/actions", a_decision("APPROVE", "reviewer_lee"))
    refused(answer, 409, "DPM_WORKFLOW_NOT_REQUIRED_FOR_RUN_STATUS")
    return "NOT_REQUIRED, and a decision is 409"


@CHAPTER.scenario("A batch is accepted and done later")
def accepted(desk: Desk) -> str:
    correlation = f"demo:batch:{desk.stamp}"
    answer = good(desk.ask("POST", "/rebalance/analyze/async", a_batch(), X_Correlation_Id=correlation))
    ticket = answer.json
    require((answer.status, ticket["status"]) == (202, "PENDING"), f"{answer.status} {ticket['status']}")
    if desk.get(ticket["status_url"])["is_executable"]:
        desk.post(ticket["execute_url"])
    done = desk.ended(ticket["status_url"])
    require(done["status"] == "SUCCEEDED", f"{done['error']}")
    require(done["progress"]["scenarios_done"] == 2, f"{done['progress']}")
    require(desk.get(f"{OPERATIONS}/by-correlation/{segment(correlation)}") == done, "by correlation id")
    for result in done["result"]["results"].values():
        kept = desk.get(f"/rebalance/runs/{result['rebalance_run_id']}")
        require(kept["result"] == result, "a run is kept otherwise")
    return f"202, then SUCCEEDED with {len(done['result']['results'])} runs, each to be looked up"


@CHAPTER.scenario("An operation is done once")
def once(desk: Desk) -> str:
    ticket = desk.post("/rebalance/analyze/async", a_batch())
    if desk.get(ticket["status_url"])["is_executable"]:
        desk.post(ticket["execute_url"])
    desk.ended(ticket["status_url"])
    refused(desk.ask("POST", ticket["execute_url"]), 409, "DPM_ASYNC_OPERATION_NOT_EXECUTABLE")
    listed = desk.get(OPERATIONS, correlation_id=ticket["correlation_id"])["items"]
    require([one["operation_id"] for one in listed] == [ticket["operation_id"]], f"{listed}")
    refused(desk.ask("GET", f"{OPERATIONS}/dop_unknown"), 404, "DPM_ASYNC_OPERATION_NOT_FOUND")
    return "executing it again is 409, an unknown one is 404"


@CHAPTER.scenario("A batch leaves a bundle")
def bundle(desk: Desk) -> str:
    ticket = desk.post("/rebalance/analyze/async", a_batch())
    if desk.get(ticket["status_url"])["is_executable"]:
        desk.post(ticket["execute_url"])
    done = desk.ended(ticket["status_url"])
    told = desk.get(f"/rebalance/runs/by-operation/{ticket['operation_id']}/support-bundle")
    runs = {result["rebalance_run_id"] for result in done["result"]["results"].values()}
    require(told["run"]["rebalance_run_id"] in runs, "it is about another run")
    require(told["async_operation"]["operation_id"] == ticket["operation_id"], "the operation is not there")
    return "from the operation to its run, artifact and lineage"
