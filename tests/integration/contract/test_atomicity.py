"""An act that fails at any of its writes keeps nothing; for the backends whose writes can fail."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from service.domains.callers import DEFAULT_TENANT
from service.domains.dpm_runs.values import RunStatus
from service.domains.operations import CANCELLATION as CANCELLED_BY_CALLER
from service.domains.operations import RELEASE, Claim, Lease
from service.domains.proposals.states import ApprovalType, ProposalEventType, ProposalState
from service.domains.retention.cutoffs import KEEP_ALL, RetentionCutoff
from service.domains.workflow_decisions import WorkflowAction
from service.errors.storage import StoreRefused
from service.storage.ports.store import Store
from tests.integration.contract.builders import (
    LONG_SECONDS,
    OTHER_HASH,
    REVIEWED,
    a_batch,
    a_lease,
    a_purge,
    a_replay,
    a_run,
    a_staged,
    a_staged_failure,
    a_verdict,
    after,
    an_admission,
    an_answer,
    an_artifact,
    an_operation,
    claimed,
    ending_of,
    failed,
    operations_since,
    started,
    submit_and_move,
    succeeded,
)
from tests.integration.contract.policy_builders import a_change, a_policy, a_removal
from tests.integration.contract.proposal_builders import (
    a_creation,
    a_new_version,
    a_simulation,
    a_step,
    an_approval,
    changes_to,
    under_key,
)
from tests.integration.contract.raw_databases import Beside, opened_beside
from tests.integration.contract.test_shadow_differences import a_difference

RUN = a_run(rebalance_run_id="rr_held", status=RunStatus.PENDING_REVIEW, created_at=after(1))
BATCH = a_batch("a", "b", "c", artifacts=True, sent_as="corr", created_at=after(2))
OPERATION = an_operation(operation_id="dop_held")
RUNNING = an_operation(operation_id="dop_running")
ENDED = an_operation(operation_id="dop_ended")
RETURNED = an_operation(operation_id="dop_returned")
# The first of an operation has the first fence.
CLAIM = Claim(RUNNING, 1)
LATE = after(LONG_SECONDS + 1)
REPLAY = a_replay(RUN, artifact=True)
VERDICT = a_verdict(RUN, WorkflowAction.REJECT)
DECISION = an_answer("rr_held", idempotency_key="act-new")
PURGE = a_purge(RetentionCutoff(after(50), after(50)))
ADMISSION = an_admission(idempotency_key="key-2", artifact=True)
MOVE = an_admission(replay=False, request_hash=OTHER_HASH, artifact=True)
RENEWAL = an_admission(request_hash=OTHER_HASH, artifact=True, created_at=after(9))
UNDER_PACK = an_admission(idempotency_key="key-2", artifact=True, policy=a_policy())
MOVE_TO_PACK = an_admission(replay=False, artifact=True, policy=a_policy())

SUBMITTED = changes_to(ProposalState.RISK_REVIEW, proposal_id="pp_held")
CREATION = a_creation(key="key-1", cause_id="dop_running")
VERSION = under_key(a_new_version(SUBMITTED[-1].proposal, cause_id="dop_running"))
CANCELLATION = under_key(a_step(SUBMITTED[-1].proposal, ProposalEventType.CANCELLED))
APPROVAL = under_key(an_approval(SUBMITTED[-1].proposal, ApprovalType.RISK))

OF_A_RUN = {"dpm_runs", "dpm_lineage_edges", "dpm_run_artifacts", "dpm_tally_changes"}
OF_A_KEY = {"dpm_run_requests", "dpm_run_idempotency", "dpm_run_idempotency_history"}
OF_WHAT_GOES = {
    "dpm_run_requests",
    "dpm_runs",
    "dpm_run_idempotency",
    "dpm_run_idempotency_history",
    "dpm_lineage_edges",
    "dpm_run_artifacts",
    "dpm_workflow_decisions",
    "dpm_operations",
    "dpm_idempotent_answers",
}
OF_A_PROPOSAL = {
    "proposals",
    "proposal_versions",
    "proposal_events",
    "proposal_keys",
    "dpm_lineage_edges",
    "dpm_tally_changes",
}
OF_A_STEP = {"proposal_events", "proposal_keys"}
OF_AN_END = [
    ("UPDATE", "dpm_operations"),
    ("DELETE", "dpm_operation_scenarios"),
    ("INSERT", "dpm_tally_changes"),
]
# What each act does, and the statement and table of every write it makes.
ACTS = {
    "admit": (
        lambda store: store.dpm_runs.admit(ADMISSION, KEEP_ALL),
        [("INSERT", table) for table in OF_A_RUN | OF_A_KEY],
    ),
    "admit without replay": (
        lambda store: store.dpm_runs.admit(MOVE, KEEP_ALL),
        [("INSERT", table) for table in (OF_A_RUN | OF_A_KEY) - {"dpm_run_idempotency"}]
        + [("UPDATE", "dpm_run_idempotency")],
    ),
    "admit with an expired key": (
        lambda store: store.dpm_runs.admit(RENEWAL, RetentionCutoff(after(5), after(5))),
        [("INSERT", table) for table in (OF_A_RUN | OF_A_KEY) - {"dpm_run_idempotency"}]
        + [("UPDATE", "dpm_run_idempotency")],
    ),
    "admit under a policy pack": (
        lambda store: store.dpm_runs.admit(UNDER_PACK, KEEP_ALL),
        [("INSERT", table) for table in OF_A_RUN | OF_A_KEY],
    ),
    "admit under another policy pack without replay": (
        lambda store: store.dpm_runs.admit(MOVE_TO_PACK, KEEP_ALL),
        [("INSERT", table) for table in (OF_A_RUN | OF_A_KEY) - {"dpm_run_idempotency"}]
        + [("UPDATE", "dpm_run_idempotency")],
    ),
    "admit_batch": (
        lambda store: store.dpm_runs.admit_batch(BATCH),
        [("INSERT", table) for table in OF_A_RUN | {"dpm_run_requests"}],
    ),
    "admit_replay": (
        lambda store: store.dpm_runs.admit_replay(REPLAY, KEEP_ALL),
        [("INSERT", table) for table in OF_A_RUN],
    ),
    "keep": (
        lambda store: store.artifacts.keep(an_artifact(RUN)),
        [("INSERT", table) for table in OF_A_RUN - {"dpm_runs"}],
    ),
    "decide": (
        lambda store: store.workflow_decisions.decide(VERDICT, REVIEWED, KEEP_ALL),
        [("INSERT", "dpm_workflow_decisions"), ("INSERT", "dpm_tally_changes")],
    ),
    "submit": (
        lambda store: store.operations.submit(an_operation(operation_id="dop_new")),
        [("INSERT", table) for table in ("dpm_operations", "dpm_lineage_edges", "dpm_tally_changes")],
    ),
    "decide under a key": (
        lambda store: store.workflow_decisions.decide_once(VERDICT, REVIEWED, KEEP_ALL, DECISION),
        [("INSERT", "dpm_workflow_decisions"), ("INSERT", "dpm_idempotent_answers")],
    ),
    "submit under a key": (
        lambda store: store.operations.submit_once(
            an_operation(operation_id="dop_new"), an_answer("dop_new", idempotency_key="act-new"), KEEP_ALL
        ),
        [("INSERT", table) for table in ("dpm_operations", "dpm_lineage_edges", "dpm_idempotent_answers")],
    ),
    "submit under an expired key": (
        lambda store: store.operations.submit_once(
            an_operation(operation_id="dop_new"), an_answer("dop_new"), operations_since(50)
        ),
        [("INSERT", table) for table in ("dpm_operations", "dpm_lineage_edges")]
        + [("UPDATE", "dpm_idempotent_answers")],
    ),
    "fail": (
        lambda store: store.operations.fail(
            DEFAULT_TENANT, "dop_running", now=LATE, error=CANCELLED_BY_CALLER
        ),
        OF_AN_END,
    ),
    "fail_overdue": (
        lambda store: store.operations.fail_overdue(
            DEFAULT_TENANT, started_before=LATE, now=LATE, error=CANCELLED_BY_CALLER, limit=10
        ),
        OF_AN_END,
    ),
    "release for the last time": (
        lambda store: store.operations.release(
            CLAIM, Lease(after(500), after(600)), error=RELEASE, attempts_max=1
        ),
        OF_AN_END,
    ),
    "claim": (
        lambda store: claimed(store, OPERATION),
        [("UPDATE", "dpm_operations"), ("INSERT", "dpm_tally_changes")],
    ),
    "extend": (
        lambda store: store.operations.extend(CLAIM, a_lease(5, until=6)),
        [("UPDATE", "dpm_operations")],
    ),
    "stage": (
        lambda store: store.operations.stage(CLAIM, [a_staged("b"), a_staged_failure("c")], a_lease(5)),
        [("UPDATE", "dpm_operations"), ("INSERT", "dpm_operation_scenarios")],
    ),
    "finish with a result": (
        lambda store: store.operations.finish(CLAIM, ending_of(succeeded(RUNNING), BATCH)),
        [("UPDATE", "dpm_operations"), ("DELETE", "dpm_operation_scenarios")]
        + [("INSERT", table) for table in OF_A_RUN | {"dpm_run_requests"}],
    ),
    "finish with an error": (
        lambda store: store.operations.finish(CLAIM, ending_of(failed(RUNNING))),
        OF_AN_END,
    ),
    "release": (
        lambda store: store.operations.release(CLAIM, a_lease(5)),
        [("UPDATE", "dpm_operations"), ("INSERT", "dpm_tally_changes")],
    ),
    "reap, begun again": (
        lambda store: store.operations.reap(DEFAULT_TENANT, now=LATE, attempts_max=2, limit=10),
        [("UPDATE", "dpm_operations"), ("INSERT", "dpm_tally_changes")],
    ),
    "reap, exhausted": (
        lambda store: store.operations.reap(DEFAULT_TENANT, now=LATE, attempts_max=1, limit=10),
        OF_AN_END,
    ),
    "expire": (
        lambda store: store.operations.expire(DEFAULT_TENANT, created_before=LATE, now=LATE, limit=10),
        OF_AN_END,
    ),
    "create a proposal": (
        lambda store: store.proposals.change(CREATION),
        [("INSERT", table) for table in OF_A_PROPOSAL],
    ),
    "add a version to a proposal": (
        lambda store: store.proposals.change(VERSION),
        [("INSERT", table) for table in OF_A_PROPOSAL - {"proposals"}] + [("UPDATE", "proposals")],
    ),
    "move a proposal": (
        lambda store: store.proposals.change(CANCELLATION),
        [("INSERT", table) for table in OF_A_STEP] + [("UPDATE", "proposals")],
    ),
    "approve a proposal": (
        lambda store: store.proposals.change(APPROVAL),
        [("INSERT", table) for table in OF_A_STEP | {"proposal_approvals"}] + [("UPDATE", "proposals")],
    ),
    "finish with a proposal": (
        lambda store: store.operations.finish(CLAIM, ending_of(succeeded(RUNNING), CREATION)),
        [("UPDATE", "dpm_operations"), ("DELETE", "dpm_operation_scenarios")]
        + [("INSERT", table) for table in OF_A_PROPOSAL],
    ),
    "finish with a version of a proposal": (
        lambda store: store.operations.finish(CLAIM, ending_of(succeeded(RUNNING), VERSION)),
        [("UPDATE", "dpm_operations"), ("UPDATE", "proposals"), ("DELETE", "dpm_operation_scenarios")]
        + [("INSERT", table) for table in OF_A_PROPOSAL - {"proposals"}],
    ),
    "keep a simulation": (
        lambda store: store.proposal_simulations.keep(
            a_simulation(idempotency_key="key-2"), kept_since=after(0)
        ),
        [("INSERT", "proposal_simulations")],
    ),
    "replace a simulation": (
        lambda store: store.proposal_simulations.keep(a_simulation(created_at=after(9)), kept_since=after(5)),
        [("UPDATE", "proposal_simulations")],
    ),
    "purge simulations": (
        lambda store: store.proposal_simulations.purge(DEFAULT_TENANT, created_before=after(5), limit=10),
        [("DELETE", "proposal_simulations")],
    ),
    "amend": (
        lambda store: store.policy_packs.amend(a_change(2)),
        [("INSERT", "dpm_policy_pack_changes")],
    ),
    "amend by a removal": (
        lambda store: store.policy_packs.amend(a_removal(2)),
        [("INSERT", "dpm_policy_pack_changes")],
    ),
    "record": (
        lambda store: store.shadow_differences.record([a_difference(), a_difference()]),
        [("INSERT", "dpm_parity_differences")],
    ),
    "purge of differences": (
        lambda store: store.shadow_differences.purge(DEFAULT_TENANT, found_before=after(50), limit=10),
        [("DELETE", "dpm_parity_differences")],
    ),
    "compact": (
        lambda store: store.supportability.compact(),
        [("INSERT", "dpm_tallies"), ("DELETE", "dpm_tally_changes")],
    ),
    "remove": (
        lambda store: store.retention.remove(PURGE),
        [("DELETE", table) for table in OF_WHAT_GOES]
        + [("INSERT", "dpm_purges"), ("INSERT", "dpm_tally_changes")],
    ),
}
WRITES = [
    pytest.param(act, statement, table, id=f"{name}: {statement} {table}")
    for name, (act, writes) in ACTS.items()
    for statement, table in sorted(writes)
]


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def breakable(request: pytest.FixtureRequest) -> AsyncIterator[Beside]:
    """A store that holds one of everything, and its database to break."""
    beside = await opened_beside(request.param, request)
    try:
        await fill(beside.store)
        yield beside
    finally:
        await beside.store.close()


async def fill(store: Store) -> None:
    held = an_admission(
        rebalance_run_id="rr_held", status=RunStatus.PENDING_REVIEW, created_at=after(1), replay=False
    )
    with_artifact = an_admission(idempotency_key="key-3", artifact=True, created_at=after(1))
    await store.dpm_runs.admit(with_artifact, KEEP_ALL)
    await store.supportability.compact()
    await store.dpm_runs.admit(held, KEEP_ALL)
    await store.workflow_decisions.decide(a_verdict(RUN), REVIEWED, KEEP_ALL)
    await store.operations.submit(OPERATION)
    await store.operations.submit_once(ENDED, an_answer("dop_ended"), KEEP_ALL)
    await store.operations.finish(await claimed(store, ENDED), ending_of(succeeded(started(ENDED))))
    for operation in (RUNNING, RETURNED):
        claim = await submit_and_move(store, started(operation))
        await store.operations.stage(claim, [a_staged("a")], a_lease())
    await store.operations.release(claim, a_lease())
    for change in SUBMITTED:
        await store.proposals.change(change)
    await store.proposal_simulations.keep(a_simulation(), kept_since=after(0))
    await store.policy_packs.amend(a_change(1))
    await store.shadow_differences.record([a_difference()])


@pytest.mark.parametrize(("act", "statement", "table"), WRITES)
async def test_an_act_that_fails_at_any_write_keeps_nothing_and_can_be_repeated(
    breakable, act, statement, table
):
    before = breakable.database.rows()
    breakable.database.break_write(statement, table)

    try:
        with pytest.raises(StoreRefused):
            await act(breakable.store)

        assert breakable.database.rows() == before
    finally:
        breakable.database.mend(table)
    await act(breakable.store)
    assert breakable.database.rows()[table] != before[table]
