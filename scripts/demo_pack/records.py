"""What is kept of a run, and how it is found and proved."""

from __future__ import annotations

from itertools import pairwise

from scripts.demo_pack.desk import Desk, case, digest, good, refused, require, segment
from scripts.demo_pack.scenarios import Chapter

CHAPTER = Chapter("Records")
CALLERS = 6
# Published with the contract, so that a client can check its own arithmetic (section 9).
CHECKED = {
    "portfolio_snapshot": {
        "portfolio_id": "pf_1",
        "base_currency": "SGD",
        "positions": [],
        "cash_balances": [{"currency": "SGD", "amount": "10000.00"}],
    },
    "market_data_snapshot": {
        "prices": [{"instrument_id": "EQ_1", "price": "100.00", "currency": "SGD"}],
        "fx_rates": [],
    },
    "model_portfolio": {"targets": [{"instrument_id": "EQ_1", "weight": "1.0"}]},
    "shelf_entries": [{"instrument_id": "EQ_1", "status": "APPROVED"}],
    "options": {},
}
CHECK_VALUE = "sha256:d662dd868633f9012fecd429bf0aa3d6b2d46d3702022547f61be29b59a248ce"


@CHAPTER.scenario("A retry gets the same bytes")
def replay(desk: Desk) -> str:
    key, document = desk.key("replay"), case("multi_currency")
    first, again = (good(desk.ask("POST", "/rebalance/simulate", document, key=key)) for _ in range(2))
    require(not first.replayed and again.replayed, "it does not say what is a replay")
    require(first.body == again.body, "the bytes differ")
    return f"{len(first.body):,} bytes alike, the second says Idempotent-Replayed"


@CHAPTER.scenario("A key stands for one request")
def conflict(desk: Desk) -> str:
    desk.simulate(case("income_mandate"), "conflict")
    other = case("income_mandate", max_turnover_pct="0.5")
    answer = desk.ask("POST", "/rebalance/simulate", other, key=desk.key("conflict"))
    refused(answer, 409, "IDEMPOTENCY_KEY_CONFLICT")
    return f"409 {answer.json['detail']}"


@CHAPTER.scenario("Equal callers at once get one run")
def race(desk: Desk) -> str:
    key, document = desk.key("race"), case("income_mandate")
    answers = desk.at_once(
        *[lambda: good(desk.ask("POST", "/rebalance/simulate", document, key=key))] * CALLERS
    )
    history = desk.get(f"/rebalance/idempotency/{key}/history")["history"]
    require(len({answer.body for answer in answers}) == 1, "they got different answers")
    require(len(history) == 1, f"{len(history)} runs are recorded")
    return f"{CALLERS} callers, one answer, one row of history"


@CHAPTER.scenario("A run is found four ways")
def found(desk: Desk) -> str:
    correlation = f"demo:{desk.stamp}"
    document = case("income_mandate")
    document["portfolio_snapshot"]["portfolio_id"] += f"_{desk.stamp}"
    run = desk.simulate(document, "found", X_Correlation_Id=correlation)
    run_id = run["rebalance_run_id"]
    whole = desk.get(f"/rebalance/runs/{run_id}")
    by_key = desk.get(f"/rebalance/runs/idempotency/{desk.key('found')}")
    require(whole["result"] == run, "what is kept is not what was answered")
    require(desk.get(f"/rebalance/runs/by-correlation/{segment(correlation)}") == whole, "by correlation id")
    require(desk.get(f"/rebalance/runs/by-request-hash/{segment(whole['request_hash'])}") == whole, "by hash")
    require(by_key["rebalance_run_id"] == run_id, "by key")
    return f"{run_id} by id, correlation id, request hash and key"


@CHAPTER.scenario("Lists go on where they stopped")
def pages(desk: Desk) -> str:
    portfolio_id = f"pf_demo_{desk.stamp}"
    document = case("income_mandate")
    document["portfolio_snapshot"]["portfolio_id"] = portfolio_id
    made = [desk.simulate(document, f"page-{number}")["rebalance_run_id"] for number in range(5)]
    seen, cursor = [], {}
    while True:
        page = desk.get("/rebalance/runs", portfolio_id=portfolio_id, limit=2, **cursor)
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    require(
        [row["rebalance_run_id"] for row in seen] == made[::-1], "a run is missing, twice or out of order"
    )
    require(all(a["created_at"] >= b["created_at"] for a, b in pairwise(seen)), "not newest first")
    return "5 runs in pages of two, newest first, none missing and none twice"


@CHAPTER.scenario("A request hash can be checked")
def request_hash(desk: Desk) -> str:
    run = desk.simulate(CHECKED, "hash")
    require(run["lineage"]["request_hash"] == CHECK_VALUE, run["lineage"]["request_hash"])
    return f"the published check value: {CHECK_VALUE[:23]}…"


@CHAPTER.scenario("An artifact proves itself")
def artifact(desk: Desk) -> str:
    run_id = desk.simulate(case("multi_currency"), "artifact")["rebalance_run_id"]
    document, again = (desk.get(f"/rebalance/runs/{run_id}/artifact") for _ in range(2))
    stated = document["evidence"]["hashes"]["artifact_hash"]
    require(digest(document, ["artifact_hash"]) == stated, "the client gets another hash")
    require(document == again, "it changes from read to read")
    tampered = document | {"status": "READY" if document["status"] != "READY" else "BLOCKED"}
    require(digest(tampered, ["artifact_hash"]) != stated, "a change goes unnoticed")
    return f"recomputed by the client: {stated[:23]}…; a changed status is noticed"


@CHAPTER.scenario("A run computes again to the same")
def recomputed(desk: Desk) -> str:
    run_id = desk.simulate(case("founder_shares"), "recomputed")["rebalance_run_id"]
    told = desk.post(f"/rebalance/runs/{run_id}/replay")
    require((told["outcome"], told["first_difference"]) == ("MATCH", None), f"{told}")
    require(told["digests_intact"], "a digest does not fit")
    return f"MATCH with engine {told['engine_version']}, digests intact"


@CHAPTER.scenario("Support gets everything at once")
def bundle(desk: Desk) -> str:
    run_id = desk.simulate(case("income_mandate"), "bundle")["rebalance_run_id"]
    told = desk.get(f"/rebalance/runs/idempotency/{desk.key('bundle')}/support-bundle")
    require(told["run"]["rebalance_run_id"] == run_id, "it is about another run")
    require(told["artifact"] == desk.get(f"/rebalance/runs/{run_id}/artifact"), "the artifact differs")
    require(len(told["idempotency_history"]["history"]) == 1, "the history of the key is not there")
    require(told["lineage"]["edges"], "there is no lineage")
    return f"run, artifact, key history and {len(told['lineage']['edges'])} edges in one answer"


@CHAPTER.scenario("Lineage leads from key to run")
def lineage(desk: Desk) -> str:
    correlation = f"demo:lineage:{desk.stamp}"
    run = desk.simulate(case("income_mandate"), "lineage", X_Correlation_Id=correlation)
    edges = desk.get(f"/rebalance/lineage/{segment(run['rebalance_run_id'])}")["edges"]
    led = {(edge["edge_type"], edge["source_entity_id"]) for edge in edges}
    expected = {("CORRELATION_TO_RUN", correlation), ("IDEMPOTENCY_TO_RUN", desk.key("lineage"))}
    require(expected <= led, f"{led}")
    walked = desk.get(f"/rebalance/lineage/{segment(correlation)}", depth=3)["edges"]
    require(
        ("IDEMPOTENCY_TO_RUN", desk.key("lineage"))
        in {(edge["edge_type"], edge["source_entity_id"]) for edge in walked},
        "the walk ends too early",
    )
    return f"from the correlation id over the run to its key: {len(walked)} edges"


@CHAPTER.scenario("Counts are exact")
def summary(desk: Desk) -> str:
    before = desk.get("/rebalance/supportability/summary")
    for number in range(3):
        desk.simulate(case("income_mandate"), f"count-{number}")
    after = desk.get("/rebalance/supportability/summary")
    require(after["run_count"] >= before["run_count"] + 3, "new runs are not counted")
    require(sum(after["run_status_counts"].values()) == after["run_count"], "statuses do not add up")
    return f"{before['run_count']:,} runs, then {after['run_count']:,}; statuses add up"
