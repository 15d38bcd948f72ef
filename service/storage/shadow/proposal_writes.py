"""What the shadow is told about proposals and about simulations that are kept under their keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from service.domains.proposals.simulations import ProposalSimulation
from service.domains.proposals.values import ProposalChange, ProposalKey
from service.domains.values.pages import all_of
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalConcurrentUpdate, ProposalKeyNotFound, ProposalNotFound
from service.storage.ports.store import Store
from service.storage.shadow.writes import Ask, Failed, MirroredRead, MirroredWrite, Outcome, Succeeded


def change(outcome: Outcome | None, change: ProposalChange) -> MirroredWrite:
    proposal, key = change.proposal, change.key
    touches = {proposal.proposal_id}
    if key is not None:
        touches.add(f"key {key.family.value} {key.scope} {key.idempotency_key}")
    version = change.version
    documents = (version.request, version.result, version.artifact) if version else ()
    return MirroredWrite(
        entity_id=proposal.proposal_id,
        tenant_id=proposal.tenant_id,
        touches=frozenset(touches),
        wrote=isinstance(outcome, Succeeded) and outcome.value is None,
        echo=echo_of(outcome, change),
        looks=looks_of(change),
        size=sum(map(len, documents)) + (len(key.answer) if key else 0),
    )


def echo_of(outcome: Outcome | None, change: ProposalChange) -> Ask | None:
    """What tells whether the shadow would have written nothing either."""
    proposal, key = change.proposal, change.key
    match outcome:
        case Succeeded(ProposalKey() as held):

            async def answered(shadow: Store) -> ProposalKey:
                return await find_key(shadow, held)

            return answered
        case Failed(IdempotencyKeyConflict()) if key is not None:

            async def conflicts(shadow: Store) -> None:
                if (await find_key(shadow, key)).request_hash != key.request_hash:
                    raise IdempotencyKeyConflict(key=key.idempotency_key)

            return conflicts
        case Failed(ProposalConcurrentUpdate() | ProposalNotFound()) if not change.is_creation:

            async def moved(shadow: Store) -> None:
                found = await shadow.proposals.get(proposal.tenant_id, proposal.proposal_id)
                if found.revision + 1 != proposal.revision:
                    raise ProposalConcurrentUpdate()

            return moved
    return None


async def find_key(shadow: Store, key: ProposalKey) -> ProposalKey:
    """Raises ProposalKeyNotFound."""
    found = await shadow.proposals.find_key(key.tenant_id, key.family, key.scope, key.idempotency_key)
    if found is None:
        raise ProposalKeyNotFound()
    return found


def looks_of(change: ProposalChange) -> tuple[MirroredRead, ...]:
    tenant_id, proposal_id = change.proposal.tenant_id, change.proposal.proposal_id

    async def events(store: Store) -> Any:
        return (await all_of(store.proposals.list_events, tenant_id, proposal_id))[-1:]

    looks = [MirroredRead("proposal", lambda store: store.proposals.get(tenant_id, proposal_id))]
    looks.append(MirroredRead("event", events))
    version = change.version
    if version is not None:
        looks.append(
            MirroredRead(
                "version",
                lambda store: store.proposals.get_version(tenant_id, proposal_id, version.version_no),
            )
        )
    return tuple(looks)


def keep(outcome: Outcome | None, simulation: ProposalSimulation, *, kept_since: datetime) -> MirroredWrite:
    tenant_id, idempotency_key = simulation.tenant_id, simulation.idempotency_key

    def kept(store: Store) -> Any:
        return store.proposal_simulations.find(tenant_id, idempotency_key, kept_since=kept_since)

    async def conflicts(shadow: Store) -> None:
        held = await kept(shadow)
        if held is None:
            raise ProposalKeyNotFound()
        if held.request_hash != simulation.request_hash:
            raise IdempotencyKeyConflict(key=idempotency_key)

    async def answered(shadow: Store) -> ProposalSimulation:
        held: ProposalSimulation | None = await kept(shadow)
        if held is None:
            raise ProposalKeyNotFound()
        return held

    echo: Ask | None = None
    match outcome:
        case Succeeded(ProposalSimulation()):
            echo = answered
        case Failed(IdempotencyKeyConflict()):
            echo = conflicts
    return MirroredWrite(
        entity_id=idempotency_key,
        tenant_id=tenant_id,
        touches=frozenset({f"simulation {idempotency_key}"}),
        wrote=isinstance(outcome, Succeeded) and outcome.value is None,
        echo=echo,
        looks=(MirroredRead("simulation", kept),),
        size=len(simulation.request) + len(simulation.result),
    )


def purge(outcome: Outcome | None, tenant_id: str, **_: object) -> MirroredWrite:
    """Chosen by an instant; what the shadow never had it cannot remove."""
    return MirroredWrite(
        entity_id="simulations",
        tenant_id=tenant_id,
        touches=frozenset({"purge of simulations"}),
        wrote=isinstance(outcome, Succeeded) and bool(outcome.value),
        counts=True,
    )
