"""Reviews of runs as a client sees them."""

import asyncio
import json

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.values.pages import all_of
from service.errors.workflow_decisions import DecisionExists
from service.settings.process import UnknownFields

EVERY_STATUS = frozenset({"READY", "PENDING_REVIEW", "BLOCKED"})
APPROVE = {"action": "APPROVE", "reason_code": "LOOKS_FINE", "actor_id": "reviewer-1"}
DECISIONS = "/rebalance/workflow/decisions"


def action(name, **more):
    return {**APPROVE, "action": name, **more}


@pytest.fixture
def begin(start, demo):
    """A client with the workflow on, and the id of a run that is up for review."""

    async def started(**changes):
        client = await start(
            **{"workflow_enabled": True, "workflow_review_statuses": EVERY_STATUS, **changes}
        )
        return client, await simulated(client, demo)

    return started


async def simulated(client, demo, key="key-1", correlation_id="corr-1"):
    headers = {"Idempotency-Key": key, "X-Correlation-Id": correlation_id}
    answer = await client.post("/rebalance/simulate", json=demo, headers=headers)
    return (await answer.json())["rebalance_run_id"]


async def decide(client, run_id, body, headers=None):
    return await client.post(f"/rebalance/runs/{run_id}/workflow/actions", json=body, headers=headers)


def named(run_id):
    return (
        f"/rebalance/runs/{run_id}",
        "/rebalance/runs/by-correlation/corr-1",
        "/rebalance/runs/idempotency/key-1",
    )


async def test_a_run_is_up_for_review_by_whatever_it_is_named(begin):
    client, run_id = await begin()

    for path in named(run_id):
        answered = await client.get(f"{path}/workflow")
        assert answered.status == 200
        workflow = await answered.json()
        assert list(workflow) == [
            "run_id",
            "run_status",
            "workflow_status",
            "requires_review",
            "latest_decision",
        ]
        assert workflow["run_id"] == run_id
        assert (workflow["workflow_status"], workflow["requires_review"]) == ("PENDING_REVIEW", True)
        assert workflow["latest_decision"] is None
        history = await (await client.get(f"{path}/workflow/history")).json()
        assert history == {"run_id": run_id, "decisions": [], "next_cursor": None}


async def test_decisions_can_be_taken_and_read_by_every_name(begin):
    client, run_id = await begin()
    by_id, by_correlation, by_key = named(run_id)

    states = []
    for path, name in ((by_id, "APPROVE"), (by_correlation, "REJECT"), (by_key, "REQUEST_CHANGES")):
        answered = await client.post(
            f"{path}/workflow/actions",
            json=action(name, comment="as agreed"),
            headers={"X-Correlation-Id": f"c-{name}"},
        )
        assert answered.status == 200
        workflow = await answered.json()
        states.append(workflow["workflow_status"])
        latest = workflow["latest_decision"]
        assert list(latest) == [
            "decision_id",
            "run_id",
            "action",
            "reason_code",
            "comment",
            "actor_id",
            "decided_at",
            "correlation_id",
        ]
        assert latest["decision_id"].startswith("dwd_") and len(latest["decision_id"]) == 36
        assert (latest["run_id"], latest["action"]) == (run_id, name)
        assert (latest["comment"], latest["correlation_id"]) == ("as agreed", f"c-{name}")

    assert states == ["APPROVED", "REJECTED", "PENDING_REVIEW"]
    taken = ["APPROVE", "REJECT", "REQUEST_CHANGES"]
    for path in (*(f"{one}/workflow/history" for one in named(run_id)), f"{DECISIONS}/by-correlation/corr-1"):
        history = await (await client.get(path)).json()
        assert history["run_id"] == run_id
        assert [item["action"] for item in history["decisions"]] == taken


@pytest.mark.parametrize("headers", [None, {"X-Correlation-Id": ""}], ids=["absent", "empty"])
async def test_a_decision_without_a_correlation_id_is_filed_under_none(begin, headers):
    client, run_id = await begin()

    workflow = await (await decide(client, run_id, APPROVE, headers)).json()

    assert workflow["latest_decision"]["correlation_id"] == "c_none"
    assert workflow["latest_decision"]["comment"] is None


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        (["APPROVE"], ["APPROVE"]),
        (["REJECT"], ["APPROVE", "REJECT"]),
        (["REQUEST_CHANGES"], []),
        (["APPROVE", "REJECT"], ["APPROVE", "REJECT"]),
    ],
)
async def test_the_table_of_transitions_holds(begin, before, refused):
    client, run_id = await begin()
    for name in before:
        await decide(client, run_id, action(name))

    for name in refused:
        answered = await decide(client, run_id, action(name))
        assert answered.status == 409
        assert (await answered.json())["detail"] == "DPM_WORKFLOW_INVALID_TRANSITION"
    history = await (await client.get(f"/rebalance/runs/{run_id}/workflow/history")).json()
    assert [item["action"] for item in history["decisions"]] == before


async def test_a_run_that_needs_no_review_takes_no_decision_but_shows_the_latest(begin, demo):
    client, run_id = await begin()
    await decide(client, run_id, APPROVE)
    client, _ = await begin(workflow_review_statuses=frozenset({"NEVER"}))

    refused = await decide(client, run_id, action("REJECT"))
    workflow = await (await client.get(f"/rebalance/runs/{run_id}/workflow")).json()

    assert refused.status == 409
    assert (await refused.json())["detail"] == "DPM_WORKFLOW_NOT_REQUIRED_FOR_RUN_STATUS"
    assert (workflow["workflow_status"], workflow["requires_review"]) == ("NOT_REQUIRED", False)
    assert workflow["latest_decision"]["action"] == "APPROVE"


async def test_a_reviewer_who_saw_another_status_is_told(begin):
    client, run_id = await begin()

    stale = await decide(client, run_id, action("APPROVE", expected_workflow_status="REJECTED"))
    fresh = await decide(client, run_id, action("APPROVE", expected_workflow_status="PENDING_REVIEW"))
    whatever = await decide(client, run_id, action("REJECT", expected_workflow_status=None))

    assert stale.status == 409
    assert (await stale.json())["detail"] == "DPM_WORKFLOW_STATE_CONFLICT"
    assert (fresh.status, whatever.status) == (200, 200)


async def test_of_equal_decisions_at_once_one_is_taken(begin):
    client, run_id = await begin()

    answers = await asyncio.gather(*(decide(client, run_id, APPROVE) for _ in range(8)))

    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    history = await (await client.get(f"/rebalance/runs/{run_id}/workflow/history")).json()
    assert len(history["decisions"]) == 1


async def test_a_taken_decision_id_is_drawn_again(begin, store, monkeypatch):
    client, run_id = await begin()
    append = store.workflow_decisions.decide
    refused = []

    async def append_second(verdict, rule, cutoff):
        if not refused:
            refused.append(verdict.decision_id)
            raise DecisionExists()
        return await append(verdict, rule, cutoff)

    monkeypatch.setattr(store.workflow_decisions, "decide", append_second)
    workflow = await (await decide(client, run_id, APPROVE)).json()

    assert workflow["latest_decision"]["decision_id"] not in refused


def entries(problem):
    assert problem["code"] == "REQUEST_VALIDATION_FAILED"
    return [
        {name: entry.get(name) for name in ("type", "loc", "msg", "input", "ctx")}
        for entry in problem["detail"]
    ]


def an_entry(fault, loc, msg, given, ctx=None):
    return {"type": fault, "loc": loc, "msg": msg, "input": given, "ctx": ctx}


NO_ACTION = "Input should be 'APPROVE', 'REJECT' or 'REQUEST_CHANGES'"
NO_STATUS = "Input should be 'PENDING_REVIEW', 'APPROVED', 'REJECTED' or 'NOT_REQUIRED'"
PATTERN = "^[A-Z][A-Z0-9_]*$"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {},
            [
                an_entry("missing", ["body", name], "Field required", {})
                for name in ("action", "reason_code", "actor_id")
            ],
        ),
        (
            action("APPROVED"),
            [
                an_entry(
                    "literal_error",
                    ["body", "action"],
                    NO_ACTION,
                    "APPROVED",
                    {"expected": NO_ACTION.removeprefix("Input should be ")},
                )
            ],
        ),
        *(
            (
                {**APPROVE, "reason_code": code},
                [
                    an_entry(
                        "string_pattern_mismatch",
                        ["body", "reason_code"],
                        f"String should match pattern '{PATTERN}'",
                        code,
                        {"pattern": PATTERN},
                    )
                ],
            )
            for code in ("", "lower", "1ST", "A B", "A\n", "\N{LATIN CAPITAL LETTER A WITH DIAERESIS}")
        ),
        (
            {**APPROVE, "reason_code": 7, "comment": 7, "actor_id": None},
            [
                an_entry("string_type", ["body", name], "Input should be a valid string", given)
                for name, given in (("reason_code", 7), ("comment", 7), ("actor_id", None))
            ],
        ),
        (
            action("APPROVE", expected_workflow_status="OPEN"),
            [
                an_entry(
                    "literal_error",
                    ["body", "expected_workflow_status"],
                    NO_STATUS,
                    "OPEN",
                    {"expected": NO_STATUS.removeprefix("Input should be ")},
                )
            ],
        ),
        (None, [an_entry("missing", ["body"], "Field required", None)]),
        (
            [],
            [
                an_entry(
                    "model_attributes_type",
                    ["body"],
                    "Input should be a valid dictionary or object to extract fields from",
                    [],
                )
            ],
        ),
    ],
)
async def test_what_is_wrong_with_an_action_is_listed(begin, body, expected):
    client, run_id = await begin()

    refused = await client.post(
        f"/rebalance/runs/{run_id}/workflow/actions",
        data=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )

    assert refused.status == 422
    assert entries(await refused.json()) == expected


async def test_text_that_no_store_can_hold_is_refused(begin):
    client, run_id = await begin()

    for comment in ("\0", "\ud800"):
        refused = await decide(client, run_id, {**APPROVE, "comment": comment})
        assert refused.status == 422
        assert (await refused.json())["detail"][0]["loc"] == ["body", "comment"]


async def test_unknown_fields_of_an_action_are_ignored_unless_told_otherwise(begin):
    body = {**APPROVE, "misspelt": 1}
    lenient, run_id = await begin()
    strict, _ = await begin(unknown_fields=UnknownFields.REJECT)

    refused = await decide(strict, run_id, body)

    assert refused.status == 422
    assert (await refused.json())["detail"][0]["loc"] == ["body", "misspelt"]
    assert (await decide(lenient, run_id, body)).status == 200


async def test_an_empty_actor_is_none(begin):
    client, run_id = await begin()

    refused = await decide(client, run_id, {**APPROVE, "actor_id": ""})

    assert refused.status == 422
    (found,) = (await refused.json())["detail"]
    assert (found["type"], found["loc"]) == ("string_too_short", ["body", "actor_id"])


async def test_broken_json_is_said_before_anything_else(begin):
    client, run_id = await begin(workflow_enabled=False)

    refused = await client.post(
        f"/rebalance/runs/{run_id}/workflow/actions",
        data=b'{"action": ',
        headers={"Content-Type": "application/json"},
    )

    assert [entry["type"] for entry in (await refused.json())["detail"]] == ["json_invalid"]


async def test_a_body_is_read_before_a_gate_is_looked_at(begin):
    client, run_id = await begin(workflow_enabled=False)

    assert (await decide(client, run_id, {})).status == 422
    refused = await decide(client, run_id, APPROVE)
    assert refused.status == 404
    assert (await refused.json())["detail"] == "DPM_WORKFLOW_DISABLED"


async def test_the_workflow_can_be_switched_off(start):
    for changes, code in (
        ({"workflow_enabled": True, "support_apis_enabled": False}, "DPM_SUPPORT_APIS_DISABLED"),
        ({}, "DPM_WORKFLOW_DISABLED"),
    ):
        client = await start(**changes)
        for path in (
            *(f"{one}/{part}" for one in named("rr_1") for part in ("workflow", "workflow/history")),
            DECISIONS,
            f"{DECISIONS}/by-correlation/corr-1",
        ):
            refused = await client.get(path)
            assert refused.status == 404
            assert (await refused.json())["detail"] == code


async def test_what_does_not_exist_is_not_found(begin):
    client, _ = await begin()

    for path, code in (
        ("runs/rr_missing", "DPM_RUN_NOT_FOUND"),
        ("runs/rr_%00", "DPM_RUN_NOT_FOUND"),
        ("runs/by-correlation/none", "DPM_RUN_NOT_FOUND"),
        ("runs/idempotency/none", "DPM_IDEMPOTENCY_KEY_NOT_FOUND"),
    ):
        for answered in (
            await client.get(f"/rebalance/{path}/workflow"),
            await client.get(f"/rebalance/{path}/workflow/history"),
            await client.post(f"/rebalance/{path}/workflow/actions", json=APPROVE),
        ):
            assert answered.status == 404
            assert (await answered.json())["detail"] == code
    for path, code in ((f"{DECISIONS}/by-correlation", "Not Found"), (f"{DECISIONS}/by-correlation/x", None)):
        answered = await client.get(path)
        assert answered.status == 404
        assert (await answered.json())["detail"] == (code or "DPM_RUN_NOT_FOUND")


async def test_decisions_are_listed_newest_first_and_a_page_at_a_time(begin, demo):
    client, first = await begin()
    second = await simulated(client, demo, "key-2", "corr-2")
    for run_id, name in ((first, "APPROVE"), (second, "REJECT"), (first, "REJECT")):
        await decide(client, run_id, action(name))

    seen, cursor = [], ""
    while cursor is not None:
        page = await (await client.get(f"{DECISIONS}?limit=2" + cursor)).json()
        seen += [(item["run_id"], item["action"]) for item in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

    assert seen == [(first, "REJECT"), (second, "REJECT"), (first, "APPROVE")]
    for foreign in ("", "dwd_unknown"):
        assert await (await client.get(f"{DECISIONS}?cursor={foreign}")).json() == {
            "items": [],
            "next_cursor": None,
        }


async def test_decisions_are_filtered(begin, demo):
    client, first = await begin()
    second = await simulated(client, demo, "key-2", "corr-2")
    await decide(client, first, APPROVE)
    await decide(client, second, action("REJECT", reason_code="TOO_RISKY", actor_id="reviewer-2"))
    taken = await (await client.get(DECISIONS)).json()
    newest, oldest = (item["decided_at"].replace("+00:00", "Z") for item in taken["items"])

    async def found(query):
        page = await (await client.get(f"{DECISIONS}?{query}")).json()
        return [item["run_id"] for item in page["items"]]

    assert await found(f"rebalance_run_id={first}") == [first]
    assert await found("actor_id=reviewer-2") == [second]
    assert await found("reason_code=TOO_RISKY") == [second]
    assert await found("reason_code=free text") == []
    assert await found("action=APPROVE") == [first]
    assert await found(f"from={newest}") == [second]
    assert await found(f"to={oldest}") == [first]


async def test_what_is_wrong_with_the_query_of_the_list_is_said_before_a_gate(begin):
    client, _ = await begin(workflow_enabled=False)

    refused = await client.get(f"{DECISIONS}?action=approve&from=x&limit=0")

    assert refused.status == 422
    assert [(entry["type"], entry["loc"]) for entry in (await refused.json())["detail"]] == [
        ("literal_error", ["query", "action"]),
        ("datetime_from_date_parsing", ["query", "from"]),
        ("greater_than_equal", ["query", "limit"]),
    ]


async def test_what_is_wrong_with_header_and_body_is_in_one_answer(begin):
    client, run_id = await begin()
    body = json.dumps({**APPROVE, "actor_id": 7}).encode()
    head = (
        f"POST /rebalance/runs/{run_id}/workflow/actions HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    )

    # No client library sends a header that is not UTF-8.
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(head.encode() + b"X-Correlation-Id: \xff\xfe\r\n\r\n" + body)
    refused = json.loads((await reader.read()).partition(b"\r\n\r\n")[2])
    writer.close()

    assert [(entry["type"], entry["loc"]) for entry in refused["detail"]] == [
        ("string_unicode", ["header", "X-Correlation-Id"]),
        ("string_type", ["body", "actor_id"]),
    ]


async def test_what_is_stored_is_what_was_answered(begin, store):
    client, run_id = await begin()

    workflow = await (await decide(client, run_id, APPROVE)).json()

    (decision,) = await all_of(store.workflow_decisions.list_of_run, DEFAULT_TENANT, run_id)
    assert decision.decision_id == workflow["latest_decision"]["decision_id"]
    assert decision.decided_at.isoformat() == workflow["latest_decision"]["decided_at"]
