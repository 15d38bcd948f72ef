"""Proposals in all backends side by side: whatever several actors do, in any order, all answer the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from service.domains.lineage import DEPTH_MAX, Direction, EdgeFilter
from service.domains.operations import Ending, OperationType
from service.domains.proposals.states import (
    TERMINAL_STATES,
    TRANSITIONS,
    ApprovalType,
    ProposalEventType,
    ProposalState,
)
from service.domains.proposals.values import (
    Proposal,
    ProposalChange,
    ProposalFilter,
    ProposalKey,
    ProposalKeyScope,
)
from service.domains.retention.cutoffs import KEEP_ALL
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalConcurrentUpdate, ProposalNotFound
from service.storage.ports.store import Store
from tests.integration.contract.builders import (
    a_lease,
    a_purge,
    after,
    an_operation,
    operations_since,
)
from tests.integration.contract.proposal_builders import (
    a_creation,
    a_new_version,
    a_proposal,
    a_simulation,
    a_step,
    an_approval,
    edges_of,
    under_key,
)
from tests.integration.contract.proposal_reading import Whole, whole_after, whole_of
from tests.integration.contract.test_model import (
    Call,
    Stores,
    answers_of,
    bounds,
    instants,
    limits,
    numbers,
    one_of_each,
    positions,
    stores,
)

__all__ = ["stores"]

# Few of each, so that clashes and ties are frequent; some names stand for more than one kind of thing.
PROPOSAL_IDS = [f"pp_{number}" for number in range(8)]
VERSION_IDS = [f"ppv_{number}" for number in range(8)]
EVENT_IDS = [f"pwe_{number}" for number in range(8)]
ACTORS = ["adviser-1", "adviser-2", "officer-1"]
PORTFOLIOS = ["pf-1", "pf-2"]
KEYS = ["key-1", "key-2", "pp_1"]
HASHES = ["hash-1", "hash-2"]
CAUSES = ["dop_1", "pp_1", "ppv_1"]
ARTIFACT_IDS = ["pa_1", "pa_2", "pp_2"]
REVIEWS = {
    ProposalState.RISK_REVIEW: ApprovalType.RISK,
    ProposalState.COMPLIANCE_REVIEW: ApprovalType.COMPLIANCE,
    ProposalState.AWAITING_CLIENT_CONSENT: ApprovalType.CLIENT_CONSENT,
}

WAYS_FROM = {
    state: [way for left, way in TRANSITIONS if left is state]
    for state in ProposalState
    if state not in TERMINAL_STATES
}
GIVING_UP = (ProposalEventType.CANCELLED, ProposalEventType.REJECTED)
ONWARD = {state: [way for way in ways if way not in GIVING_UP] for state, ways in WAYS_FROM.items()}

proposal_ids = st.sampled_from(PROPOSAL_IDS)
actors = st.sampled_from(ACTORS)
# Most acts have a key of their own, or none.
keys = st.sampled_from([None, None, *[""] * 4, *KEYS])
hashes = st.sampled_from([HASHES[0], *HASHES])
# So have most versions and events: an id that is taken ends what is asked for.
version_parts = st.fixed_dictionaries(
    {"artifact_id": st.sampled_from(ARTIFACT_IDS)},
    optional={"proposal_version_id": st.sampled_from(VERSION_IDS)},
)
event_parts = st.fixed_dictionaries({}, optional={"event_id": st.sampled_from(EVENT_IDS)})
causes = st.sampled_from([None, None, *CAUSES])
filters = st.builds(
    ProposalFilter,
    created_from=bounds,
    created_to=bounds,
    portfolio_id=st.none() | st.sampled_from(PORTFOLIOS),
    state=st.sampled_from([None, None, *(state.value for state in ProposalState), "UNHEARD_OF"]),
    created_by=st.none() | actors,
)
created = one_of_each(
    proposal_id=proposal_ids,
    created_by=actors,
    portfolio_id=st.sampled_from(PORTFOLIOS),
    second=instants,
    version=version_parts,
    event=event_parts,
    cause_id=causes,
    key=keys,
    request_hash=hashes,
)
# Who acts sees the proposal as it is, or as it was when they last looked. No name is one that has not ended.
moved = one_of_each(
    proposal_id=st.sampled_from(["", "", "", *PROPOSAL_IDS[4:]]),
    actor_id=actors,
    looks_first=st.sampled_from([True, True, True, False]),
    wish=st.sampled_from(["go on", "go on", "go on", "move", "refuse", "version"]),
    position=positions,
    second=instants,
    version=version_parts,
    event=event_parts,
    cause_id=causes,
    key=keys,
    request_hash=hashes,
)

ACTS = {
    "change": moved,
    "change_again": moved,
    "change_twice": moved,
    "create": created,
    "run": one_of_each(creation=st.none() | created, otherwise=moved, second=instants),
    "keep_simulation": one_of_each(
        key=st.sampled_from(KEYS),
        request_hash=hashes,
        second=instants,
        kept_seconds=st.sampled_from([0, 1, 2, 10]),
    ),
    "purge": one_of_each(before=instants, limit=limits),
}
READS = {
    "list_proposals": one_of_each(proposals=filters, limit=limits, cursor=proposal_ids | st.just("")),
    "find": one_of_each(
        proposal_id=proposal_ids,
        family=st.sampled_from(ProposalKeyScope),
        key=st.sampled_from(KEYS),
        version_no=st.integers(-1, 6),
        since=instants,
    ),
    "follow_edges": one_of_each(
        entity_id=st.sampled_from([*PROPOSAL_IDS, *VERSION_IDS[:6], *ARTIFACT_IDS, *CAUSES]),
        direction=st.sampled_from(Direction),
        depth=st.sampled_from([1, 2, DEPTH_MAX]),
    ),
}
acts, reads = (
    st.one_of(*(st.tuples(st.just(name), arguments) for name, arguments in table.items()))
    for table in (ACTS, READS)
)


class ProposalsSideBySide(RuleBasedStateMachine):
    """Acts and reads on all stores at once; knows every change that was kept, and what each actor saw."""

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self.stores = stores
        self.tenant_id = f"tenant-of-proposals-{next(numbers)}"
        self.kept: dict[str, list[ProposalChange]] = {}
        self.keys: dict[tuple[ProposalKeyScope, str, str], ProposalKey] = {}
        self.seen: dict[tuple[str, str], Proposal] = {}
        self.ticks = count(1)

    def same(self, call: Call) -> Any:
        """What all of them answer alike."""
        answers = self.stores.ask(call)
        expected = answers["memory"]
        assert all(answer == expected for answer in answers.values()), answers
        return expected

    def tick(self, second: datetime) -> datetime:
        """An instant in that second that no other act has."""
        return second + timedelta(microseconds=next(self.ticks))

    @initialize(several=st.lists(created, min_size=4, max_size=4, unique_by=lambda one: one["proposal_id"]))
    def start(self, several: list[dict[str, Any]]) -> None:
        for number, one in enumerate(several):
            given = {"version": {"proposal_version_id": VERSION_IDS[number]}, "event": {}, "key": None}
            self.create(**(one | given))
        assert len(self.kept) == 4

    def creation_of(
        self,
        proposal_id: str,
        created_by: str,
        portfolio_id: str,
        second: datetime,
        version: dict[str, str],
        event: dict[str, str],
        cause_id: str | None,
        key: str | None,
        request_hash: str,
    ) -> ProposalChange:
        return a_creation(
            tenant_id=self.tenant_id,
            proposal_id=proposal_id,
            created_by=created_by,
            portfolio_id=portfolio_id,
            created_at=second,
            version=version,
            event=event | {"occurred_at": second},
            cause_id=cause_id,
            key=self.named(key),
            request_hash=request_hash,
        )

    def change_of(
        self,
        proposal_id: str,
        actor_id: str,
        looks_first: bool,
        wish: str,
        position: int,
        second: datetime,
        version: dict[str, str],
        event: dict[str, str],
        cause_id: str | None,
        key: str | None,
        request_hash: str,
    ) -> ProposalChange | None:
        """What an actor does about a proposal as they see it; None where there is nothing to be done."""
        seen = self.look(proposal_id or self.open_at(position), actor_id, looks_first)
        if seen.has_ended:
            return None
        at = {"last_event_at": self.tick(second)}
        if wish == "refuse" and seen.state in REVIEWS:
            change = an_approval(seen, REVIEWS[seen.state], approved=False, actor_id=actor_id, **at)
        elif wish == "version":
            parts = {"version": version, "event": event, "cause_id": cause_id}
            change = a_new_version(seen, created_by=actor_id, **parts, **at)
        else:
            ways = ONWARD[seen.state] if wish == "go on" else WAYS_FROM[seen.state]
            change = a_step(seen, ways[position % len(ways)], actor_id=actor_id, **at)
        name = self.named(key)
        return change if name is None else under_key(change, name, request_hash)

    def open_at(self, position: int) -> str:
        """One of the proposals that have not ended; any if there is none."""
        ids = [one for one, changes in sorted(self.kept.items()) if not changes[-1].proposal.has_ended]
        return (ids or PROPOSAL_IDS)[position % len(ids or PROPOSAL_IDS)]

    def look(self, proposal_id: str, actor_id: str, looks_first: bool) -> Proposal:
        """A proposal as it is, or as an actor saw it last; one that is not there is thought to be new."""
        if looks_first or (actor_id, proposal_id) not in self.seen:
            found = self.same(lambda store: answers_of(store, [self.getting(proposal_id)]))[0]
            if isinstance(found, type):
                return a_proposal(tenant_id=self.tenant_id, proposal_id=proposal_id)
            self.seen[actor_id, proposal_id] = found
        return self.seen[actor_id, proposal_id]

    def getting(self, proposal_id: str) -> Call:
        return lambda store: store.proposals.get(self.tenant_id, proposal_id)

    def named(self, key: str | None) -> str | None:
        """One of the keys many share, one of its own for an empty name, or none."""
        return f"own-{next(self.ticks)}" if key == "" else key

    def create(self, **asked: Any) -> None:
        self.ask_for(self.creation_of(**asked))

    def change(self, **asked: Any) -> None:
        change = self.change_of(**asked)
        if change is not None:
            self.ask_for(change)

    def change_again(self, **asked: Any) -> None:
        self.change(**asked)

    def change_twice(self, **asked: Any) -> None:
        """The same change twice: the second finds its key, or that the proposal moved."""
        change = self.change_of(**asked)
        if change is not None:
            self.ask_for(change)
            self.ask_for(change)

    def run(self, creation: dict[str, Any] | None, otherwise: dict[str, Any], second: datetime) -> None:
        """A change as the end of an operation, which ends with what was answered if that was before."""
        change = self.change_of(**otherwise) if creation is None else self.creation_of(**creation)
        if change is None:
            return
        operation = an_operation(
            tenant_id=self.tenant_id,
            operation_type=OperationType.CREATE_PROPOSAL,
            created_at=second,
        )
        self.same(lambda store: store.operations.submit(operation))
        claim = self.same(
            lambda store: store.operations.claim(self.tenant_id, operation.operation_id, a_lease())
        )
        ending = Ending(finished_at=after(5), result=b"{}", effect=change)
        answer = self.ask_for(change, lambda store: store.operations.finish(claim, ending))
        if isinstance(answer, ProposalKey):
            replayed = Ending(finished_at=after(5), result=answer.answer)
            assert self.same(lambda store: store.operations.finish(claim, replayed)) is None
        self.same(lambda store: store.operations.get(self.tenant_id, operation.operation_id, KEEP_ALL))
        self.same(lambda store: store.retention.remove(self.a_purge()))

    def a_purge(self) -> Any:
        return a_purge(operations_since(6), tenant_id=self.tenant_id, purge_id=f"purge_{next(self.ticks)}")

    def ask_for(self, change: ProposalChange, call: Callable[[Store], Any] | None = None) -> Any:
        """Ask all of them for a change, and note what was kept; its key and revision say what they answer."""
        expected = self.expected_of(change)
        answer = self.same(call or (lambda store: store.proposals.change(change)))
        if expected is not None:
            assert answer == expected
        elif answer is None:
            self.kept.setdefault(change.proposal.proposal_id, []).append(change)
            self.seen[change.event.actor_id, change.proposal.proposal_id] = change.proposal
            if change.key is not None:
                self.keys[self.place_of(change.key)] = change.key
        else:
            # An id is taken.
            assert answer is ProposalConcurrentUpdate
        return answer

    def expected_of(self, change: ProposalChange) -> Any:
        """What is answered to a change, unless it is kept or an id it has is taken."""
        held = None if change.key is None else self.keys.get(self.place_of(change.key))
        if held is not None:
            return held if held.request_hash == change.key.request_hash else IdempotencyKeyConflict
        before = self.kept.get(change.proposal.proposal_id, [])
        if change.is_creation:
            return ProposalConcurrentUpdate if before else None
        if not before:
            return ProposalNotFound
        return None if len(before) == change.proposal.revision - 1 else ProposalConcurrentUpdate

    def place_of(self, key: ProposalKey) -> tuple[ProposalKeyScope, str, str]:
        return (key.family, key.scope, key.idempotency_key)

    def keep_simulation(self, key: str, request_hash: str, second: datetime, kept_seconds: int) -> None:
        simulation = a_simulation(
            tenant_id=self.tenant_id,
            idempotency_key=key,
            request_hash=request_hash,
            created_at=self.tick(second),
        )
        since = simulation.created_at - timedelta(seconds=kept_seconds)
        self.same(lambda store: store.proposal_simulations.keep(simulation, kept_since=since))
        self.same(lambda store: store.proposal_simulations.find(self.tenant_id, key, kept_since=since))

    def purge(self, before: datetime, limit: int) -> None:
        self.same(
            lambda store: store.proposal_simulations.purge(self.tenant_id, created_before=before, limit=limit)
        )
        self.same(lambda store: store.retention.remove(self.a_purge()))

    def list_proposals(self, proposals: ProposalFilter, limit: int, cursor: str) -> None:
        for asked in (proposals, ProposalFilter()):

            def page_after(after: str | None, asked: ProposalFilter = asked) -> Any:
                return self.same(
                    lambda store: store.proposals.list(self.tenant_id, asked, limit=limit, cursor=after)
                )

            page_after(cursor)
            page = page_after(None)
            found = list(page.items)
            while page.next_cursor is not None:
                page = page_after(page.next_cursor)
                found += page.items
            there = [changes[-1].proposal for changes in self.kept.values()]
            there.sort(key=lambda one: (one.created_at, one.proposal_id), reverse=True)
            assert found == [proposal for proposal in there if asked.matches(proposal)]

    def find(
        self, proposal_id: str, family: ProposalKeyScope, key: str, version_no: int, since: datetime
    ) -> None:
        tenant_id = self.tenant_id
        scope = "" if family is ProposalKeyScope.CREATE else proposal_id
        found, *_ = self.same(
            lambda store: answers_of(
                store,
                [
                    lambda store: store.proposals.find_key(tenant_id, family, scope, key),
                    lambda store: store.proposals.get_version(tenant_id, proposal_id, version_no),
                    lambda store: store.proposal_simulations.find(tenant_id, key, kept_since=since),
                ],
            )
        )
        assert found == self.keys.get((family, scope, key))

    def follow_edges(self, entity_id: str, direction: Direction, depth: int) -> None:
        self.same(lambda store: store.lineage.trace(self.tenant_id, entity_id, direction, depth, KEEP_ALL))
        page = self.same(
            lambda store: store.lineage.list(
                self.tenant_id,
                entity_id,
                EdgeFilter(direction),
                limit=1000,
                cursor=None,
                cutoff=KEEP_ALL,
            )
        )
        brought = [edge for changes in self.kept.values() for edge in edges_of(*changes)]
        followed = EdgeFilter(direction)
        assert list(page.items) == sorted(
            (edge for edge in brought if followed.touches(edge, entity_id)), key=lambda edge: edge.place
        )

    @rule(act=acts, read=reads)
    def step(self, act: tuple[str, dict[str, Any]], read: tuple[str, dict[str, Any]]) -> None:
        for name, arguments in (act, read):
            getattr(self, name)(**arguments)

    @invariant()
    def proposals_are_what_their_events_made_of_them(self) -> None:
        for changes in self.kept.values():
            whole: Whole = self.same(lambda store, one=changes[0].proposal: whole_of(store, one))
            assert whole == whole_after(*changes)
            assert_has_no_gap(whole)

    @invariant()
    def all_counts_are_the_same(self) -> None:
        self.same(lambda store: store.supportability.summarise(self.tenant_id, KEEP_ALL))


def assert_has_no_gap(whole: Whole) -> None:
    """The events lead from nowhere to the state there is, one after the other, and so do the versions."""
    proposal, events = whole.proposal, whole.events
    assert proposal.revision == len(events)
    assert [event.event_no for event in events] == list(range(1, len(events) + 1))
    assert [head.version_no for head in whole.heads] == list(range(1, proposal.version_no + 1))
    assert events[0].from_state is None
    assert events[-1].to_state is proposal.state
    assert all(left.to_state is taken_up.from_state for left, taken_up in pairwise(events))
    assert not any(event.to_state in TERMINAL_STATES for event in events[:-1])
    assert {approval.event_no for approval in whole.approvals} <= {event.event_no for event in events}


@pytest.mark.slow
def test_all_backends_give_the_same_answers_whatever_happens_to_proposals(stores: Stores) -> None:
    profile = settings.get_current_profile_name()
    examples = {"quick": 5, "full": 10, "deep": 60}[profile]

    run_state_machine_as_test(
        lambda: ProposalsSideBySide(stores), settings=settings(max_examples=examples, stateful_step_count=40)
    )


def test_a_gap_would_be_seen() -> None:
    creation = a_creation()
    second = a_new_version(creation.proposal)
    whole = whole_after(creation, second, a_new_version(second.proposal))
    assert_has_no_gap(whole)

    for broken in (
        replace(whole, events=whole.events[:-1]),
        replace(whole, events=(whole.events[0], whole.events[2], whole.events[1])),
        replace(whole, heads=whole.heads[:-1]),
        replace(whole, proposal=replace(whole.proposal, state=ProposalState.RISK_REVIEW)),
    ):
        with pytest.raises(AssertionError):
            assert_has_no_gap(broken)
