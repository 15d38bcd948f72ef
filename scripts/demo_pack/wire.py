"""What any client can rely on, whatever it asks."""

from __future__ import annotations

import re

from scripts.demo_pack.desk import Desk, case, good, refused, require
from scripts.demo_pack.scenarios import Chapter

CHAPTER = Chapter("On the wire")
EXACT = "120250.123456789012345678"


@CHAPTER.scenario("Every fault of a request is told at once")
def faults(desk: Desk) -> str:
    document = case("income_mandate", max_turnover_pct="2", target_method="ORACLE")
    document["portfolio_snapshot"]["cash_balances"][0]["amount"] = "many"
    answer = desk.ask("POST", "/rebalance/simulate", document, key=desk.key("faults"))
    refused(answer, 422, "REQUEST_VALIDATION_FAILED")
    places = {".".join(map(str, entry["loc"])) for entry in answer.json["detail"]}
    require(len(places) == 3, f"{places}")
    free = desk.ask("GET", f"/rebalance/runs/idempotency/{desk.key('faults')}")
    refused(free, 404, "DPM_IDEMPOTENCY_KEY_NOT_FOUND")
    return f"{len(places)} places named in one answer; the key stays free"


@CHAPTER.scenario("Money never becomes a float")
def exact(desk: Desk) -> str:
    document = case("income_mandate")
    document["portfolio_snapshot"]["cash_balances"][0]["amount"] = EXACT
    run = desk.simulate(document, "exact")
    require(run["before"]["cash_balances"][0]["amount"] == EXACT, run["before"]["cash_balances"][0]["amount"])
    return f"{EXACT} comes back digit by digit"


@CHAPTER.scenario("A refusal is a problem document")
def problem(desk: Desk) -> str:
    answer = desk.ask("GET", "/rebalance/runs/rr_unknown", X_Correlation_Id=f"demo:problem:{desk.stamp}")
    refused(answer, 404, "DPM_RUN_NOT_FOUND")
    fields = ("type", "title", "status", "detail", "instance", "code")
    require(all(field in answer.json for field in fields), f"{answer.json}")
    require(answer.headers["X-Correlation-Id"] == f"demo:problem:{desk.stamp}", "the correlation id is lost")
    return f"404 with {', '.join(fields)}"


@CHAPTER.scenario("The API describes itself")
def described(desk: Desk) -> str:
    document = desk.get("/openapi.json")
    require(re.fullmatch(r"3\.1\.\d", document["openapi"]), document["openapi"])
    wanted = {"/rebalance/simulate", "/rebalance/runs/{rebalance_run_id}", "/rebalance/proposals"}
    require(wanted <= document["paths"].keys(), f"{wanted - document['paths'].keys()}")
    page = good(desk.ask("GET", "/docs"))
    require("text/html" in page.headers["Content-Type"], page.headers["Content-Type"])
    return f"OpenAPI {document['openapi']} with {len(document['paths'])} paths, and a page at /docs"


@CHAPTER.scenario("Health is told")
def health(desk: Desk) -> str:
    for probe in ("live", "ready"):
        good(desk.ask("GET", f"/health/{probe}"))
    refused(desk.ask("GET", f"/no-such-route-{desk.stamp}"), 404, "NOT_FOUND")
    refused(desk.ask("DELETE", "/rebalance/simulate"), 405, "METHOD_NOT_ALLOWED")
    return "live and ready; no route is 404, a wrong method 405"
