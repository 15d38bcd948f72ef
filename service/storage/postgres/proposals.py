"""Proposals in PostgreSQL: a new one is kept in one trip to the server."""

from __future__ import annotations

from service.domains.proposals.values import ProposalChange, ProposalKey, ProposalVersion
from service.errors.proposals import ProposalConcurrentUpdate
from service.storage.sql.acts import Act, one
from service.storage.sql.lineage import text_of
from service.storage.sql.proposals import changes
from service.storage.sql.proposals.changes import KeyTaken
from service.storage.sql.proposals.rows import row_of_event, row_of_key, row_of_proposal, row_of_version
from service.storage.texts import require_storable

# What the rows of one proposal have in common.
SHARED = frozenset({"tenant_id", "proposal_id"})


def keep_change(change: ProposalChange) -> Act[None]:
    """Raises KeyTaken, ProposalConcurrentUpdate, ProposalNotFound."""
    if change.is_creation and change.key is not None and change.version is not None:
        yield from create(change, change.key, change.version)
    else:
        yield from changes.keep_change(change)


def create(change: ProposalChange, key: ProposalKey, version: ProposalVersion) -> Act[None]:
    require_storable(change.proposal, change.event, key, version, change.approval)
    outcome = yield from one("proposals", "create_proposal", **row_of_creation(change, key, version))
    assert outcome is not None, "an outcome is a row"
    if not outcome["claimed"]:
        raise KeyTaken(key)
    if not outcome["recorded"]:
        raise ProposalConcurrentUpdate(proposal_id=change.proposal.proposal_id)


def row_of_creation(change: ProposalChange, key: ProposalKey, version: ProposalVersion) -> dict[str, object]:
    """A proposal with all that its first event brings; names that several tables have say whose they are."""
    row = row_of_proposal(change.proposal) | {"edges": text_of(change.edges(None))}
    parts = {"key": row_of_key(key), "version": row_of_version(version), "event": row_of_event(change.event)}
    for part, values in parts.items():
        row |= {f"{part}_{name}": value for name, value in values.items() if name not in SHARED}
    return row
