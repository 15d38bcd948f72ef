"""What changing and reading proposals promises, whatever the backend."""

from __future__ import annotations

from dataclasses import replace

import pytest
import pytest_asyncio

from service.domains.dpm_runs.supportability import Subject
from service.domains.dpm_runs.values import DEFAULT_TENANT
from service.domains.lineage import Direction, EdgeType, OwnerKind
from service.domains.proposals.states import TERMINAL_STATES, TRANSITIONS, ApprovalType, ProposalState
from service.domains.retention.cutoffs import KEEP_ALL
from service.domains.values.pages import all_of
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound, ProposalVersionNotFound
from tests.integration.contract.builders import (
    LONG_SECONDS,
    ODD_BYTES,
    a_purge,
    after,
    an_admission,
    an_operation,
    failed,
    runs_since,
    started,
    submit_and_move,
)
from tests.integration.contract.proposal_builders import (
    WAYS,
    a_creation,
    a_new_version,
    a_step,
    an_approval,
    changes_to,
    edges_of,
    under_key,
)
from tests.integration.contract.proposal_reading import keep, key_in, proposals_of, whole_after, whole_of
from tests.integration.contract.raw_databases import REFUSED, opened_beside
from tests.integration.contract.reading import edges_at, touching

# The ways a taken id may come with a creation.
TAKEN = {
    "proposal": lambda held: {"proposal_id": held.proposal.proposal_id},
    "version": lambda held: {"version": {"proposal_version_id": held.version.proposal_version_id}},
    "event": lambda held: {"event": {"event_id": held.event.event_id}},
}
APPEND_ONLY = ("proposal_versions", "proposal_events", "proposal_approvals", "proposal_keys")


async def assert_absent(store, change):
    name = (change.proposal.tenant_id, change.proposal.proposal_id)
    with pytest.raises(ProposalNotFound):
        await store.proposals.get(*name)
    with pytest.raises(ProposalVersionNotFound):
        await store.proposals.get_version(*name, 1)
    assert await all_of(store.proposals.list_versions, *name) == ()
    assert await all_of(store.proposals.list_events, *name) == ()
    assert await all_of(store.proposals.list_approvals, *name) == ()
    if change.version is not None:
        assert await edges_at(store, change.version.artifact_id, tenant_id=change.proposal.tenant_id) == ()
    if change.key is not None:
        assert await key_in(store, change.key) is None


async def test_a_created_proposal_is_given_back_as_it_was_kept(store):
    change = a_creation(key="key-1", created_at=after(0.000001))

    assert await store.proposals.change(change) is None

    assert await whole_of(store, change.proposal) == whole_after(change)
    assert await key_in(store, change.key) == change.key
    assert (await proposals_of(store)).items == (change.proposal,)


@pytest.mark.parametrize("state", ProposalState)
async def test_a_proposal_has_all_that_was_kept_on_its_way(store, state):
    changes = changes_to(state)

    await keep(store, *changes)

    whole = await whole_of(store, changes[0].proposal)
    assert whole == whole_after(*changes)
    assert whole.proposal.state is state
    assert whole.proposal.revision == len(whole.events) == 1 + len(WAYS[state])


async def test_what_was_left_out_comes_back_as_left_out(store):
    change = a_creation(
        mandate_id=None,
        jurisdiction=None,
        title=None,
        advisor_notes="Größe'; --",
        version={"gate_decision": None},
        event={"related_version_no": None},
    )

    await keep(store, change)

    assert await whole_of(store, change.proposal) == whole_after(change)


@pytest.mark.parametrize("document", [b"{}", b'{"a":"\\u0000"}', ODD_BYTES, b"[]" * 500_000])
async def test_documents_of_any_size_come_back_unchanged(store, document):
    names = ("request", "result", "artifact", "evidence", "gate_decision")
    change = a_creation(version=dict.fromkeys(names, document), event={"reason": document})
    change = under_key(change)
    change = replace(change, key=replace(change.key, answer=document))

    await keep(store, change)

    assert await whole_of(store, change.proposal) == whole_after(change)
    assert await key_in(store, change.key) == change.key


async def test_names_beyond_ascii_come_back_unchanged(store):
    change = a_creation(
        key="key · 日本",
        tenant_id="Genève",
        portfolio_id="Größe'; --",
        created_by="\N{BANK}",
        jurisdiction="日本",
        proposal_id="pp'é",
    )

    await keep(store, change)

    assert await whole_of(store, change.proposal) == whole_after(change)
    assert await key_in(store, change.key) == change.key


async def test_versions_are_numbered_and_listed_without_their_documents(store):
    first = a_creation()
    second = a_new_version(first.proposal, version_status="BLOCKED", last_event_at=after(5))
    third = a_new_version(second.proposal, created_by="adviser-3")

    await keep(store, first, second, third)

    whole = await whole_of(store, first.proposal)
    assert whole == whole_after(first, second, third)
    assert [head.version_no for head in whole.heads] == [1, 2, 3]
    assert whole.proposal.versioned_by == "adviser-3"
    with pytest.raises(ProposalVersionNotFound):
        await store.proposals.get_version(DEFAULT_TENANT, first.proposal.proposal_id, 4)
    with pytest.raises(ProposalVersionNotFound):
        await store.proposals.get_version(DEFAULT_TENANT, first.proposal.proposal_id, 0)
    with pytest.raises(ProposalVersionNotFound):
        await store.proposals.get_version(DEFAULT_TENANT, first.proposal.proposal_id, -1)


async def test_approvals_have_the_numbers_of_their_events(store):
    changes = changes_to(ProposalState.AWAITING_CLIENT_CONSENT)
    changes.append(
        an_approval(changes[-1].proposal, ApprovalType.CLIENT_CONSENT, approved=False, related_version_no=999)
    )

    await keep(store, *changes)

    whole = await whole_of(store, changes[0].proposal)
    assert whole == whole_after(*changes)
    assert [approval.event_no for approval in whole.approvals] == [3, 4]
    assert [approval.approved for approval in whole.approvals] == [True, False]
    assert whole.proposal.state is ProposalState.REJECTED


async def test_what_a_proposal_is_does_not_change(store):
    creation = a_creation()
    step = a_new_version(
        creation.proposal,
        portfolio_id="pf-9",
        title="other",
        created_by="adviser-9",
        created_at=after(9),
        last_event_at=after(9),
    )

    await keep(store, creation, step)

    left = await store.proposals.get(DEFAULT_TENANT, creation.proposal.proposal_id)
    assert left == replace(
        creation.proposal, last_event_at=after(9), version_no=2, versioned_by="adviser-9", revision=2
    )


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("key", [None, "key-2"])
async def test_a_creation_with_a_taken_id_is_refused_and_leaves_nothing(store, kind, key):
    held = a_creation(key="key-1")
    await keep(store, held)
    clashing = a_creation(key=key, portfolio_id="pf-2", **TAKEN[kind](held))

    with pytest.raises(ProposalConcurrentUpdate):
        await store.proposals.change(clashing)

    assert await whole_of(store, held.proposal) == whole_after(held)
    assert (await proposals_of(store)).items == (held.proposal,)
    if kind != "version":
        assert await edges_at(store, clashing.version.artifact_id) == ()
    if key is not None:
        assert await key_in(store, clashing.key) is None
        free = a_creation(key=key)
        await keep(store, free)


@pytest.mark.parametrize("kind", ["version", "event", "approval"])
async def test_a_change_with_a_taken_id_is_refused_and_leaves_nothing(store, kind):
    other = changes_to(ProposalState.AWAITING_CLIENT_CONSENT)
    own = a_creation(), *()
    submitted = a_step(own[0].proposal, next(iter(WAYS[ProposalState.RISK_REVIEW])))
    await keep(store, *other, *own, submitted)
    held = other[-1]
    clashing = {
        "version": a_new_version(
            submitted.proposal,
            version={"proposal_version_id": other[0].version.proposal_version_id},
        ),
        "event": a_new_version(submitted.proposal, event={"event_id": held.event.event_id}),
        "approval": an_approval(submitted.proposal, ApprovalType.RISK, approval_id=held.approval.approval_id),
    }[kind]
    clashing = under_key(clashing)

    with pytest.raises(ProposalConcurrentUpdate):
        await store.proposals.change(clashing)

    assert await whole_of(store, own[0].proposal) == whole_after(*own, submitted)
    assert await whole_of(store, other[0].proposal) == whole_after(*other)
    assert await key_in(store, clashing.key) is None


async def test_ids_are_taken_within_their_tenant_only(store):
    ours = a_creation(key="key-1")
    theirs = a_creation(
        key="key-1",
        tenant_id="theirs",
        portfolio_id="pf-2",
        **{name: value for taken in TAKEN.values() for name, value in taken(ours).items()},
    )

    await keep(store, ours)
    await keep(store, theirs)

    assert await whole_of(store, ours.proposal) == whole_after(ours)
    assert await whole_of(store, theirs.proposal) == whole_after(theirs)
    assert await key_in(store, ours.key) == ours.key
    assert await key_in(store, theirs.key) == theirs.key


@pytest.mark.parametrize("behind", [1, 2])
@pytest.mark.parametrize("key", [None, "key-2"])
async def test_a_change_decided_on_an_older_revision_is_refused_and_leaves_nothing(store, behind, key):
    kept = changes_to(ProposalState.AWAITING_CLIENT_CONSENT)
    await keep(store, *kept)
    stale = a_new_version(kept[-1 - behind].proposal)
    stale = stale if key is None else under_key(stale, key)

    with pytest.raises(ProposalConcurrentUpdate):
        await store.proposals.change(stale)

    assert await whole_of(store, kept[0].proposal) == whole_after(*kept)
    assert await edges_at(store, stale.version.artifact_id) == ()
    if key is not None:
        assert await key_in(store, stale.key) is None


async def test_a_change_decided_on_a_revision_to_come_is_refused_and_leaves_nothing(store):
    kept = a_creation()
    await keep(store, kept)
    early = under_key(a_new_version(replace(kept.proposal, revision=2)))

    with pytest.raises(ProposalConcurrentUpdate):
        await store.proposals.change(early)

    assert await whole_of(store, kept.proposal) == whole_after(kept)
    assert await key_in(store, early.key) is None


@pytest.mark.parametrize("tenant_id", [DEFAULT_TENANT, "theirs"])
@pytest.mark.parametrize("key", [None, "key-2"])
async def test_a_change_of_an_unknown_proposal_is_refused_and_leaves_nothing(store, tenant_id, key):
    known = a_creation()
    await keep(store, known)
    unknown = replace(known.proposal, tenant_id="other") if tenant_id == "theirs" else a_creation().proposal
    change = a_new_version(unknown)
    change = change if key is None else under_key(change, key)

    with pytest.raises(ProposalNotFound):
        await store.proposals.change(change)

    await assert_absent(store, change)
    assert await whole_of(store, known.proposal) == whole_after(known)


async def test_an_unknown_proposal_has_nothing(store):
    await assert_absent(store, a_creation(key="key-1"))


async def test_a_refused_change_can_be_made_on_the_revision_there_is(store):
    creation = a_creation()
    first, second = (under_key(a_new_version(creation.proposal), f"key-{n}") for n in range(2))
    await keep(store, creation, first)
    with pytest.raises(ProposalConcurrentUpdate):
        await store.proposals.change(second)
    again = under_key(a_new_version(first.proposal), "key-1")

    await keep(store, again)

    assert await whole_of(store, creation.proposal) == whole_after(creation, first, again)
    assert await key_in(store, again.key) == again.key


async def test_edges_join_artifacts_versions_and_causes(store):
    creation = a_creation(cause_id="dop_1")
    second = a_new_version(creation.proposal, cause_id="dop_2", last_event_at=after(1))
    third = a_new_version(second.proposal, last_event_at=after(2))
    changes = (creation, second, third)

    await keep(store, *changes)

    edges = edges_of(*changes)
    assert len(edges) == 7
    assert {edge.lives_with for edge in edges} == {OwnerKind.PROPOSAL}
    versions = [change.version for change in changes]
    for version in versions:
        assert await edges_at(store, version.proposal_version_id) == touching(
            version.proposal_version_id, *edges
        )
        assert await edges_at(store, version.artifact_id) == touching(version.artifact_id, *edges)
    assert [(edge.edge_type, edge.source_entity_id) for edge in await edges_at(store, "dop_2")] == [
        (EdgeType.CAUSED_BY, versions[1].proposal_version_id)
    ]
    trail = await store.lineage.trace(DEFAULT_TENANT, versions[2].artifact_id, Direction.UP, 20, KEEP_ALL)
    reached = {edge.target_entity_id for edge in trail.edges}
    assert reached == {*(version.proposal_version_id for version in versions), "dop_1", "dop_2"}


async def test_edges_of_a_change_that_was_asked_for_in_a_trace_name_it(store):
    creation = a_creation().in_trace("4bf92f3577b34da6a3ce929d0e0e4736")
    second = a_new_version(creation.proposal).in_trace(None)

    await keep(store, creation, second)

    (traced,) = await edges_at(store, creation.version.artifact_id)
    (untraced,) = await edges_at(store, second.version.artifact_id)
    assert traced.metadata["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert dict(untraced.metadata) == {"proposal_id": second.proposal.proposal_id, "version_no": "2"}


async def test_versions_of_one_request_may_share_an_artifact_id(store):
    creation = a_creation(version={"artifact_id": "pa_shared"})
    second = a_new_version(creation.proposal, version={"artifact_id": "pa_shared"})

    await keep(store, creation, second)

    assert await edges_at(store, "pa_shared") == touching("pa_shared", *edges_of(creation, second))
    assert len(await edges_at(store, "pa_shared")) == 2


async def test_changes_without_a_version_bring_no_edges(store):
    changes = changes_to(ProposalState.EXECUTED)

    await keep(store, *changes)

    counts = (await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)).counts
    assert counts[Subject.LINEAGE_EDGE_TYPE] == {"DERIVED_FROM": 1}


async def test_a_purge_leaves_proposals_and_their_edges(store):
    operation = failed(started(an_operation()))
    admission = an_admission()
    creation = a_creation(key="key-1", cause_id=operation.operation_id)
    # A version that has the name of a run.
    second = a_new_version(creation.proposal, version={"proposal_version_id": admission.run.rebalance_run_id})
    await store.dpm_runs.admit(admission, KEEP_ALL)
    await submit_and_move(store, operation)
    await keep(store, creation, second)
    edges = edges_of(creation, second)

    removed = await store.retention.remove(
        a_purge(replace(runs_since(LONG_SECONDS), operations_since=after(LONG_SECONDS)))
    )

    assert (removed.runs, removed.operations) == (1, 1)
    assert await whole_of(store, creation.proposal) == whole_after(creation, second)
    for entity_id in {edge.source_entity_id for edge in edges} | {edge.target_entity_id for edge in edges}:
        assert await edges_at(store, entity_id) == touching(entity_id, *edges)
        assert await edges_at(store, entity_id, runs_since(LONG_SECONDS)) == touching(entity_id, *edges)
    counts = (await store.supportability.summarise(DEFAULT_TENANT, KEEP_ALL)).counts
    assert counts[Subject.LINEAGE_EDGE_TYPE] == {"DERIVED_FROM": 3, "CAUSED_BY": 1}


@pytest_asyncio.fixture(params=["sqlite", "postgres"])
async def beside(request):
    opened = await opened_beside(request.param, request)
    try:
        yield opened
    finally:
        await opened.store.close()


def spelled(change, state="DRAFT"):
    return (
        f"UPDATE proposals SET revision = revision + 1, state = '{state}'"
        f" WHERE proposal_id = '{change.proposal.proposal_id}'"
    )


@pytest.mark.parametrize("state", sorted(TERMINAL_STATES, key=lambda state: state.value))
async def test_a_proposal_that_has_ended_can_be_changed_by_nobody(beside, state):
    changes = changes_to(state)
    await keep(beside.store, *changes)
    before = beside.database.rows()

    for statement in (spelled(changes[0]), spelled(changes[0], state.value)):
        with pytest.raises(REFUSED, match="ended"):
            beside.database.execute(statement)

    assert beside.database.rows() == before


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("revision = revision", "does not move"),
        ("revision = revision + 2", "does not move"),
        ("revision = revision - 1", "does not move"),
        ("revision = revision + 1, version_no = version_no + 2", "does not move"),
        ("revision = revision + 1, version_no = version_no - 1", "does not move"),
        ("revision = revision + 1", "(?i)foreign key"),
        ("revision = revision + 1, version_no = version_no + 1", "(?i)foreign key"),
        ("revision = revision + 1, state = 'UNHEARD_OF'", "proposals_state_known"),
        ("revision = revision + 1, version_status = 'UNHEARD_OF'", "proposals_version_status_known"),
        ("revision = revision + 1, tenant_id = 'theirs'", "never changes"),
        ("revision = revision + 1, proposal_id = 'pp_other'", "never changes"),
        ("revision = revision + 1, portfolio_id = 'pf-9'", "never changes"),
        ("revision = revision + 1, mandate_id = 'mandate-9'", "never changes"),
        ("revision = revision + 1, jurisdiction = NULL", "never changes"),
        ("revision = revision + 1, title = 'other'", "never changes"),
        ("revision = revision + 1, advisor_notes = 'other'", "never changes"),
        ("revision = revision + 1, created_by = 'adviser-9'", "never changes"),
        ("revision = revision + 1, created_at = last_event_at", "never changes"),
    ],
)
async def test_a_proposal_moves_only_with_its_event_and_never_becomes_another(beside, values, reason):
    creation = a_creation()
    step = a_step(creation.proposal, WAYS[ProposalState.RISK_REVIEW][0], last_event_at=after(9))
    await keep(beside.store, creation, step)
    before = beside.database.rows()

    with pytest.raises(REFUSED, match=reason):
        beside.database.execute(f"UPDATE proposals SET {values}")

    assert beside.database.rows() == before


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}"])
async def test_what_was_said_and_answered_is_neither_changed_nor_removed(beside, table, statement):
    changes = changes_to(ProposalState.EXECUTED, key="key-1")
    await keep(beside.store, *changes)
    before = beside.database.rows()

    with pytest.raises(REFUSED, match=f"{table} is append-only"):
        beside.database.execute(statement.format(table))

    assert beside.database.rows() == before
    assert before[table]


async def test_a_proposal_is_never_removed(beside):
    await keep(beside.store, a_creation())
    before = beside.database.rows()

    with pytest.raises(REFUSED):
        beside.database.execute("DELETE FROM proposals")

    assert beside.database.rows() == before


def test_the_ways_of_these_tests_lead_where_they_say():
    for state, events in WAYS.items():
        reached = ProposalState.DRAFT
        for event in events:
            reached = TRANSITIONS[reached, event]
        assert reached is state
    assert WAYS.keys() == set(ProposalState)
