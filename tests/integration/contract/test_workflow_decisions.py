"""What reviews of runs promise, whatever the backend."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from service.domains.dpm_runs.values import DEFAULT_TENANT, RunStatus
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import Page, all_of, empty_page
from service.domains.workflow_decisions import (
    DecisionFilter,
    ReviewRule,
    WorkflowAction,
    WorkflowStatus,
)
from service.errors.dpm_runs import RunNotFound
from service.errors.workflow_decisions import (
    DecisionExists,
    WorkflowInvalidTransition,
    WorkflowNotRequired,
    WorkflowStateConflict,
)
from tests.integration.contract.builders import (
    REVIEWED,
    a_batch,
    a_run,
    a_verdict,
    after,
    an_admission,
    head_of,
    runs_since,
)
from tests.integration.contract.reading import PAGES_MAX

APPROVE, REJECT, REQUEST_CHANGES = (
    WorkflowAction.APPROVE,
    WorkflowAction.REJECT,
    WorkflowAction.REQUEST_CHANGES,
)
# The table of HTTP contract 7.2: ways that lead to a state, and what each action makes of it.
WAYS = {
    WorkflowStatus.PENDING_REVIEW: [(), (REQUEST_CHANGES,), (APPROVE, REQUEST_CHANGES)],
    WorkflowStatus.APPROVED: [(APPROVE,), (REJECT, REQUEST_CHANGES, APPROVE)],
    WorkflowStatus.REJECTED: [(REJECT,), (APPROVE, REJECT)],
}
ALLOWED = {
    WorkflowStatus.PENDING_REVIEW: {APPROVE, REJECT, REQUEST_CHANGES},
    WorkflowStatus.APPROVED: {REJECT, REQUEST_CHANGES},
    WorkflowStatus.REJECTED: {REQUEST_CHANGES},
}
NEXT = {
    APPROVE: WorkflowStatus.APPROVED,
    REJECT: WorkflowStatus.REJECTED,
    REQUEST_CHANGES: WorkflowStatus.PENDING_REVIEW,
}
UNKNOWN_CURSORS = ["", " ", "nowhere", "%", "'; --", "日本", "null"]


async def keep_run(store, **fields):
    admission = an_admission(replay=False, **({"status": RunStatus.PENDING_REVIEW} | fields))
    await store.dpm_runs.admit(admission, KEEP_ALL)
    return admission.run


async def decide(store, verdict, rule=REVIEWED, cutoff=KEEP_ALL):
    return await store.workflow_decisions.decide(verdict, rule, cutoff)


async def history_of(store, run):
    return await all_of(store.workflow_decisions.list_of_run, run.tenant_id, run.rebalance_run_id)


async def latest_of(store, run):
    return await store.workflow_decisions.find_latest(run.tenant_id, run.rebalance_run_id)


async def page_of(store, decisions, *, limit=100, cursor=None, cutoff=KEEP_ALL):
    return await store.workflow_decisions.list(
        DEFAULT_TENANT, decisions, limit=limit, cursor=cursor, cutoff=cutoff
    )


def assert_follows_the_table(history):
    """Numbers have no gap, and each decision was allowed in the state the one before left."""
    assert [decision.decision_no for decision in history] == list(range(1, len(history) + 1))
    status = WorkflowStatus.PENDING_REVIEW
    for decision in history:
        assert decision.action in ALLOWED[status], history
        status = NEXT[decision.action]


async def test_a_run_without_a_decision_has_none(store):
    run = await keep_run(store)

    assert await history_of(store, run) == ()
    assert await latest_of(store, run) is None
    assert await page_of(store, DecisionFilter()) == empty_page()


async def test_a_decision_is_given_back_as_it_was_taken(store):
    run = await keep_run(store)
    verdict = a_verdict(
        run, comment="zu teuer · 日本\n'; --", actor_id="prüfer", reason_code="A_1", correlation_id="corr"
    )

    answer = await decide(store, verdict)

    assert answer == (head_of(run), verdict.numbered(1))
    assert await history_of(store, run) == (verdict.numbered(1),)
    assert await latest_of(store, run) == verdict.numbered(1)
    assert await page_of(store, DecisionFilter()) == Page((verdict.numbered(1),), None)


@pytest.mark.parametrize("comment", [None, "", " ", "x" * 100_000])
async def test_a_comment_of_any_size_comes_back_unchanged(store, comment):
    run = await keep_run(store)

    await decide(store, a_verdict(run, comment=comment))

    assert (await latest_of(store, run)).comment == comment


@pytest.mark.parametrize("expected_status", [None, *WorkflowStatus])
@pytest.mark.parametrize("action", WorkflowAction)
@pytest.mark.parametrize(("status", "way"), [(status, way) for status, ways in WAYS.items() for way in ways])
async def test_every_action_in_every_state_leads_where_the_table_says(
    store, status, way, action, expected_status
):
    run = await keep_run(store)
    taken = [(await decide(store, a_verdict(run, step)))[1] for step in way]
    verdict = a_verdict(run, action, expected_status=expected_status)

    if expected_status not in (None, status):
        with pytest.raises(WorkflowStateConflict):
            await decide(store, verdict)
    elif action not in ALLOWED[status]:
        with pytest.raises(WorkflowInvalidTransition):
            await decide(store, verdict)
    else:
        _, decision = await decide(store, verdict)
        assert decision == verdict.numbered(len(way) + 1)
        taken.append(decision)

    assert await history_of(store, run) == tuple(taken)


@pytest.mark.parametrize("status", [RunStatus.READY, RunStatus.BLOCKED])
async def test_a_run_that_needs_no_review_takes_no_decision(store, status):
    run = await keep_run(store, status=status)

    for action in WorkflowAction:
        with pytest.raises(WorkflowNotRequired):
            await decide(store, a_verdict(run, action, expected_status=WorkflowStatus.NOT_REQUIRED))

    assert await history_of(store, run) == ()


async def test_which_runs_need_a_review_is_said_each_time(store):
    run = await keep_run(store, status=RunStatus.BLOCKED)
    blocked = ReviewRule(frozenset({"BLOCKED", "UNHEARD_OF"}))

    await decide(store, a_verdict(run), blocked)

    with pytest.raises(WorkflowNotRequired):
        await decide(store, a_verdict(run, REJECT), ReviewRule(frozenset()))
    await decide(store, a_verdict(run, REJECT), blocked)
    assert [decision.action for decision in await history_of(store, run)] == [APPROVE, REJECT]


async def test_a_run_that_is_not_there_takes_no_decision(store):
    run = await keep_run(store, tenant_id="theirs")

    with pytest.raises(RunNotFound):
        await decide(store, a_verdict(a_run()))
    with pytest.raises(RunNotFound):
        await decide(store, a_verdict(run, tenant_id=DEFAULT_TENANT))


async def test_an_expired_run_takes_no_decision(store):
    run = await keep_run(store, created_at=after(3))
    await decide(store, a_verdict(run), cutoff=runs_since(3))

    with pytest.raises(RunNotFound):
        await decide(store, a_verdict(run, REJECT), cutoff=runs_since(4))

    assert len(await history_of(store, run)) == 1


async def test_a_taken_decision_id_is_refused_and_changes_nothing(store):
    run, other = await keep_run(store), await keep_run(store)
    first = a_verdict(run)
    await decide(store, first)

    for clashing, action in ((run, REJECT), (other, APPROVE)):
        with pytest.raises(DecisionExists):
            await decide(store, a_verdict(clashing, action, decision_id=first.decision_id))

    assert await history_of(store, run) == (first.numbered(1),)
    assert await history_of(store, other) == ()


async def test_tenants_may_draw_the_same_decision_id(store):
    runs = [await keep_run(store, tenant_id=tenant_id) for tenant_id in ("ours", "theirs")]

    for run in runs:
        await decide(store, a_verdict(run, decision_id="dwd_1"))

    for run in runs:
        assert [decision.decision_id for decision in await history_of(store, run)] == ["dwd_1"]


@pytest.mark.parametrize("action", WorkflowAction)
async def test_of_many_who_take_the_first_decision_at_once_the_numbers_have_no_gap(store, action):
    run = await keep_run(store)
    asked = [a_verdict(run, action, expected_status=WorkflowStatus.PENDING_REVIEW) for _ in range(32)]

    answers = await asyncio.gather(*(decide(store, verdict) for verdict in asked), return_exceptions=True)

    taken = [answer[1] for answer in answers if isinstance(answer, tuple)]
    refused = [answer for answer in answers if not isinstance(answer, tuple)]
    assert all(isinstance(one, WorkflowInvalidTransition | WorkflowStateConflict) for one in refused), refused
    assert len(taken) == 1 or action is REQUEST_CHANGES
    history = await history_of(store, run)
    assert sorted(taken, key=lambda decision: decision.decision_no) == list(history)
    assert_follows_the_table(history)


@pytest.mark.parametrize("decisions", [2, 32])
async def test_equal_approvals_at_once_leave_one(store, decisions):
    run = await keep_run(store)
    asked = [a_verdict(run) for _ in range(decisions)]

    answers = await asyncio.gather(*(decide(store, verdict) for verdict in asked), return_exceptions=True)

    (kept,) = (answer[1] for answer in answers if isinstance(answer, tuple))
    assert sum(isinstance(answer, WorkflowInvalidTransition) for answer in answers) == decisions - 1
    assert await history_of(store, run) == (kept,)


async def test_one_decision_sent_many_times_at_once_is_taken_once(store):
    run = await keep_run(store)
    verdict = a_verdict(run, REQUEST_CHANGES)

    answers = await asyncio.gather(*(decide(store, verdict) for _ in range(16)), return_exceptions=True)

    assert sum(isinstance(answer, tuple) for answer in answers) == 1
    assert {type(one) for one in answers if not isinstance(one, tuple)} <= {
        DecisionExists,
        WorkflowInvalidTransition,
    }
    assert await history_of(store, run) == (verdict.numbered(1),)


@pytest.mark.parametrize("first", range(3))
async def test_whoever_decides_at_once_every_history_follows_the_table(store, first):
    runs = [await keep_run(store) for _ in range(4)]
    actions = [APPROVE, REQUEST_CHANGES, REJECT, APPROVE, REQUEST_CHANGES]
    asked = [a_verdict(runs[n % 4 if n % 3 else 0], actions[(n + first) % 5]) for n in range(32)]

    answers = await asyncio.gather(*(decide(store, verdict) for verdict in asked), return_exceptions=True)

    taken = [answer[1] for answer in answers if isinstance(answer, tuple)]
    assert {type(one) for one in answers if not isinstance(one, tuple)} <= {WorkflowInvalidTransition}
    histories = [await history_of(store, run) for run in runs]
    assert {one for history in histories for one in history} == set(taken)
    for history in histories:
        assert history
        assert_follows_the_table(history)


async def test_the_numbers_of_a_run_are_its_own(store):
    runs = [await keep_run(store) for _ in range(3)]

    for run in (*runs, *runs):
        await decide(store, a_verdict(run, REQUEST_CHANGES))

    for run in runs:
        assert [decision.decision_no for decision in await history_of(store, run)] == [1, 2]


async def test_decisions_of_a_run_are_listed_as_they_were_taken_whatever_their_instants(store):
    run = await keep_run(store)
    asked = [a_verdict(run, REQUEST_CHANGES, decided_at=after(second)) for second in (5, 1, 3, 3)]
    for verdict in asked:
        await decide(store, verdict)

    assert await history_of(store, run) == tuple(
        verdict.numbered(number) for number, verdict in enumerate(asked, start=1)
    )
    assert await latest_of(store, run) == asked[-1].numbered(4)


async def keep_mixed(store):
    """Decisions of every kind on three runs, as they are listed."""
    runs = [await keep_run(store, created_at=after(second)) for second in (0, 1, 2)]
    taken = []
    for n in range(24):
        verdict = a_verdict(
            runs[n % 3],
            REQUEST_CHANGES if n < 18 else (APPROVE if n < 21 else REJECT),
            actor_id=f"reviewer-{n % 2}",
            reason_code=("REVIEWED", "TOO_LARGE", "A_2")[n % 5 % 3],
            decided_at=after(n // 5),
        )
        taken.append((await decide(store, verdict))[1])
    return runs, sorted(taken, key=lambda one: (one.decided_at, one.decision_id), reverse=True)


async def pages_of(store, decisions, limit, cutoff=KEEP_ALL):
    cursor, pages = None, []
    for _ in range(PAGES_MAX):
        page = await page_of(store, decisions, limit=limit, cursor=cursor, cutoff=cutoff)
        pages.append(page)
        if page.next_cursor is None:
            return pages
        assert page.next_cursor == page.items[-1].decision_id
        cursor = page.next_cursor
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(
    ("decided_from", "decided_to"),
    [(None, None), (after(1), after(3)), (after(4), None), (None, after(0)), (after(3), after(1))],
)
async def test_every_filter_gives_the_rows_it_lets_through_on_pages_of_any_size(
    store, decided_from, decided_to
):
    runs, taken = await keep_mixed(store)
    run_ids = [None, runs[0].rebalance_run_id, runs[2].rebalance_run_id, "nowhere"]
    actors = [None, "reviewer-0", "nobody"]
    reasons = [None, "REVIEWED", "A_2", "UNHEARD_OF"]

    for run_id, actor, reason, action in itertools.product(run_ids, actors, reasons, [None, *WorkflowAction]):
        decisions = DecisionFilter(run_id, actor, reason, action, decided_from, decided_to)
        expected = [one for one in taken if decisions.matches(one)]
        for limit in (2, 100):
            pages = await pages_of(store, decisions, limit)

            assert [one for page in pages for one in page.items] == expected, decisions
            assert len(pages) == max(1, -(-len(expected) // limit)), decisions


async def test_a_full_last_page_says_that_nothing_follows(store):
    _, taken = await keep_mixed(store)

    assert await page_of(store, DecisionFilter(), limit=24) == Page(tuple(taken), None)
    assert await page_of(store, DecisionFilter(), limit=23) == Page(tuple(taken[:23]), taken[22].decision_id)


@pytest.mark.parametrize("cursor", UNKNOWN_CURSORS)
async def test_an_unknown_cursor_gives_an_empty_page(store, cursor):
    await keep_mixed(store)

    assert await page_of(store, DecisionFilter(), cursor=cursor) == empty_page()


async def test_a_cursor_of_a_row_the_filter_holds_back_gives_an_empty_page(store):
    runs, taken = await keep_mixed(store)
    theirs = await keep_run(store, tenant_id="theirs")
    _, foreign = await decide(store, a_verdict(theirs))

    for decisions in (
        DecisionFilter(rebalance_run_id=runs[1].rebalance_run_id),
        DecisionFilter(actor_id="reviewer-1"),
        DecisionFilter(reason_code="REVIEWED"),
        DecisionFilter(action=REQUEST_CHANGES),
        DecisionFilter(decided_from=after(2), decided_to=after(3)),
        DecisionFilter(),
    ):
        expected = [one for one in taken if decisions.matches(one)]
        for one in (*taken, foreign):
            page = await page_of(store, decisions, cursor=one.decision_id)

            rest = expected[expected.index(one) + 1 :] if one in expected else []
            assert page == Page(tuple(rest), None)


async def test_decisions_on_expired_runs_are_on_no_page(store):
    runs, taken = await keep_mixed(store)
    expired = runs[0].rebalance_run_id
    left = [one for one in taken if one.rebalance_run_id != expired]

    for decisions in (DecisionFilter(), DecisionFilter(actor_id="reviewer-1", action=REQUEST_CHANGES)):
        pages = await pages_of(store, decisions, 3, runs_since(1))

        assert [one for page in pages for one in page.items] == [
            one for one in left if decisions.matches(one)
        ]
    for one in taken:
        page = await page_of(store, DecisionFilter(), cursor=one.decision_id, cutoff=runs_since(1))

        rest = left[left.index(one) + 1 :] if one in left else []
        assert page == Page(tuple(rest), None)
    assert await page_of(store, DecisionFilter(expired), cutoff=runs_since(1)) == empty_page()


async def test_a_list_shows_the_decisions_of_its_tenant_only(store):
    theirs = await keep_run(store, tenant_id="theirs")
    await decide(store, a_verdict(theirs))

    assert await page_of(store, DecisionFilter()) == empty_page()
    assert await page_of(store, DecisionFilter(theirs.rebalance_run_id)) == empty_page()
    assert (
        await all_of(
            store.workflow_decisions.list_of_run,
            DEFAULT_TENANT,
            theirs.rebalance_run_id,
        )
        == ()
    )


async def test_a_scenario_run_is_reviewed_like_any_other(store):
    batch = a_batch("a", "b", status=RunStatus.PENDING_REVIEW)
    await store.dpm_runs.admit_batch(batch)

    answer = await decide(store, a_verdict(batch.runs[1]))

    assert answer[0] == head_of(batch.runs[1])
    assert await history_of(store, batch.runs[0]) == ()
