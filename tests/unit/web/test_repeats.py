"""Reviews and analyses for later that are sent again with their key, as a client sees them (ruling 18)."""

import asyncio

import pytest

from service.settings.process import ExecutionMode
from tests.unit.web.test_workflow_decisions import APPROVE, action, begin, decide, named, simulated

__all__ = ["begin"]

ASYNC, OPERATIONS = "/rebalance/analyze/async", "/rebalance/operations"
KEY = {"Idempotency-Key": "approve-1"}
CALLERS = 300


@pytest.fixture
def batch(demo):
    del demo["options"]
    demo["scenarios"] = {"first": {}}
    return demo


async def problem_of(answer, status):
    problem = await answer.json()
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), problem
    return problem


async def decisions_in(store):
    return [one for (_, _), taken in store.workflow_decisions.state.decisions_of_run.items() for one in taken]


async def test_a_decision_that_is_sent_again_is_answered_with_the_first_answer(begin, store):
    client, run_id = await begin()

    first = await decide(client, run_id, APPROVE, KEY)
    again = await decide(client, run_id, APPROVE, {**KEY, "X-Correlation-Id": "another"})

    assert (first.status, again.status) == (200, 200)
    assert await first.read() == await again.read()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content_type == "application/json"
    assert len(await decisions_in(store)) == 1


async def test_an_answer_under_a_key_is_that_of_a_request_without_one(begin):
    client, run_id = await begin()

    keyed = await (await decide(client, run_id, APPROVE, KEY)).json()

    assert keyed == await (await client.get(f"/rebalance/runs/{run_id}/workflow")).json()


async def test_a_key_is_the_same_by_whatever_the_run_is_named(begin, store):
    client, run_id = await begin()

    answers = [
        await client.post(f"{path}/workflow/actions", json=APPROVE, headers=KEY) for path in named(run_id)
    ]

    assert len({await answer.read() for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true"]
    assert len(await decisions_in(store)) == 1


async def test_many_equal_decisions_at_once_are_one(begin, store):
    client, run_id = await begin()

    answers = await asyncio.gather(*(decide(client, run_id, APPROVE, KEY) for _ in range(CALLERS)))

    taken = [answer for answer in answers if answer.status == 200]
    # Whoever came when there was no room was refused as such, and by nothing else.
    assert {answer.status for answer in answers} <= {200, 503}
    assert len({await answer.read() for answer in taken}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in taken) == 1
    assert len(await decisions_in(store)) == 1


@pytest.mark.parametrize(
    "other",
    [
        action("REJECT"),
        {**APPROVE, "comment": "x"},
        {**APPROVE, "actor_id": "reviewer-2"},
        {**APPROVE, "expected_workflow_status": "PENDING_REVIEW"},
    ],
)
async def test_another_decision_under_the_key_is_refused(begin, store, other):
    client, run_id = await begin()
    await decide(client, run_id, APPROVE, KEY)

    problem = await problem_of(await decide(client, run_id, other, KEY), 409)

    assert problem["code"] == "IDEMPOTENCY_KEY_CONFLICT"
    assert problem["detail"] == "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"
    assert len(await decisions_in(store)) == 1


async def test_a_decision_on_another_run_under_the_key_is_refused(begin, demo):
    client, run_id = await begin()
    other = await simulated(client, demo, key="key-2")
    await decide(client, run_id, APPROVE, KEY)

    assert (await problem_of(await decide(client, other, APPROVE, KEY), 409))["code"] == (
        "IDEMPOTENCY_KEY_CONFLICT"
    )


@pytest.mark.parametrize("key", ["", "a b", "k" * 256, "é"])
async def test_a_key_that_cannot_be_is_told_with_all_else_that_is_wrong(begin, key):
    client, run_id = await begin()

    problem = await problem_of(await decide(client, run_id, {}, {"Idempotency-Key": key}), 422)

    assert problem["detail"][0]["loc"] == ["header", "Idempotency-Key"]
    assert len(problem["detail"]) > 1
    for good in ("k", "k" * 255):
        assert (await decide(client, run_id, action("REQUEST_CHANGES"), {"Idempotency-Key": good})).ok


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (APPROVE, "DPM_WORKFLOW_INVALID_TRANSITION"),
        (action("REJECT", expected_workflow_status="PENDING_REVIEW"), "DPM_WORKFLOW_STATE_CONFLICT"),
    ],
)
@pytest.mark.parametrize("headers", [None, KEY])
async def test_a_review_that_is_refused_says_who_decided_what_and_when(begin, body, code, headers):
    client, run_id = await begin()
    taken = (await (await decide(client, run_id, APPROVE)).json())["latest_decision"]

    problem = await problem_of(await decide(client, run_id, body, headers), 409)

    assert problem["code"] == problem["detail"] == code
    assert list(problem)[:6] == ["type", "title", "status", "detail", "instance", "code"]
    assert {name: problem[name] for name in ("decision", "decided_by", "decided_at", "decision_id")} == {
        "decision": "APPROVE",
        "decided_by": "reviewer-1",
        "decided_at": taken["decided_at"],
        "decision_id": taken["decision_id"],
    }


async def test_a_review_that_nothing_was_decided_before_tells_of_no_decision(begin):
    client, run_id = await begin()

    body = {**APPROVE, "expected_workflow_status": "APPROVED"}
    problem = await problem_of(await decide(client, run_id, body), 409)

    assert list(problem) == ["type", "title", "status", "detail", "instance", "code"]


@pytest.mark.parametrize("mode", [ExecutionMode.INLINE, ExecutionMode.ACCEPT_ONLY])
async def test_an_analysis_that_is_sent_again_is_accepted_once(start, store, batch, mode):
    client = await start(execution_mode=mode)

    answers = [await client.post(ASYNC, json=batch, headers=KEY) for _ in range(3)]

    assert {answer.status for answer in answers} == {202}
    assert len({await answer.read() for answer in answers}) == 1
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true", "true"]
    told = await answers[0].json()
    assert {answer.headers["Location"] for answer in answers} == {told["status_url"]}
    assert (await (await client.get(OPERATIONS)).json())["items"][0]["operation_id"] == told["operation_id"]
    assert len(store.operations.state.operations) == 1


async def test_many_equal_analyses_at_once_are_one(start, store, batch):
    client = await start(execution_mode=ExecutionMode.ACCEPT_ONLY)

    answers = await asyncio.gather(*(client.post(ASYNC, json=batch, headers=KEY) for _ in range(CALLERS)))

    taken = [answer for answer in answers if answer.status == 202]
    assert {answer.status for answer in answers} <= {202, 503}
    assert len({await answer.read() for answer in taken}) == 1
    assert len(store.operations.state.operations) == 1


async def test_another_analysis_under_the_key_is_refused(start, batch):
    client = await start(execution_mode=ExecutionMode.ACCEPT_ONLY)
    await client.post(ASYNC, json=batch, headers=KEY)

    problem = await problem_of(
        await client.post(ASYNC, json={**batch, "scenarios": {"other": {}}}, headers=KEY), 409
    )

    assert problem["code"] == "IDEMPOTENCY_KEY_CONFLICT"
    assert (await client.post(ASYNC, json=batch)).status == 202


async def test_a_bad_key_of_an_analysis_is_told(start, batch):
    client = await start()

    problem = await problem_of(await client.post(ASYNC, json=batch, headers={"Idempotency-Key": "a b"}), 422)

    assert [entry["loc"] for entry in problem["detail"]] == [["header", "Idempotency-Key"]]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"])
async def test_what_is_accepted_says_where_to_look_and_when(start, batch, host):
    client = await start(execution_mode=ExecutionMode.ACCEPT_ONLY)

    answer = await client.post(ASYNC, json=batch, headers={"Host": host})

    told = await answer.json()
    assert answer.headers["Location"] == told["status_url"] == f"{OPERATIONS}/{told['operation_id']}"
    assert int(answer.headers["Retry-After"]) > 0
    assert (await client.get(answer.headers["Location"])).status == 200
