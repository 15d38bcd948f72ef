"""How bodies are read: those of callers as the settings say, and what was stored as it was taken."""

from __future__ import annotations

from functools import partial

from service.domains.values.bounds import Bounds
from service.flows.dpm_runs.computing import Readers
from service.flows.proposals.versions import ProposalReaders
from service.settings.process import Settings, UnknownFields
from service.web.requests import bodies

# What was recorded is read as it was when unknown fields were still ignored, and nothing had a bound.
LENIENT_READERS = Readers(
    partial(bodies.decode_rebalance, bounds=None),
    partial(bodies.decode_batch, bounds=None),
    partial(bodies.decode_options, bounds=None),
)
LENIENT_PROPOSAL_READERS = ProposalReaders(
    partial(bodies.decode_proposal, bounds=None),
    partial(bodies.decode_creation, bounds=None),
    partial(bodies.decode_version, bounds=None),
    partial(bodies.decode_transition, bounds=None),
    partial(bodies.decode_approval, bounds=None),
)


def bounds_of(settings: Settings) -> Bounds:
    """What callers may send at most."""
    return Bounds(id_characters_max=settings.serving.id_length_max)


def readers_of(settings: Settings) -> Readers:
    bounds = bounds_of(settings)
    if settings.unknown_fields is UnknownFields.REJECT:
        return Readers(
            partial(bodies.decode_rebalance.strict, bounds=bounds),
            partial(bodies.decode_batch.strict, bounds=bounds),
            partial(bodies.decode_options.strict, bounds=bounds),
        )
    return Readers(
        partial(bodies.decode_rebalance, bounds=bounds),
        partial(bodies.decode_batch, bounds=bounds),
        partial(bodies.decode_options, bounds=bounds),
    )


def proposal_readers_of(settings: Settings) -> ProposalReaders:
    bounds = bounds_of(settings)
    if settings.unknown_fields is UnknownFields.REJECT:
        return ProposalReaders(
            partial(bodies.decode_proposal.strict, bounds=bounds),
            partial(bodies.decode_creation.strict, bounds=bounds),
            partial(bodies.decode_version.strict, bounds=bounds),
            partial(bodies.decode_transition.strict, bounds=bounds),
            partial(bodies.decode_approval.strict, bounds=bounds),
        )
    return ProposalReaders(
        partial(bodies.decode_proposal, bounds=bounds),
        partial(bodies.decode_creation, bounds=bounds),
        partial(bodies.decode_version, bounds=bounds),
        partial(bodies.decode_transition, bounds=bounds),
        partial(bodies.decode_approval, bounds=bounds),
    )
