"""The operations that simulate a proposal and keep nothing of it for long."""

from __future__ import annotations

from functools import partial

from service.domains.proposals.artifacts import ArtifactDocument
from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.results import ProposalResult
from service.errors.engines import ResultTooLarge
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import ProposalSimulationDisabled
from service.web.handlers.proposals import simulations as simulations_handlers
from service.web.operations.proposals import ROOT
from service.web.operations.row import PROPOSAL_STORE, Header, Operation, Tag

simulation = partial(
    Operation,
    method="POST",
    tag=Tag.ADVISORY,
    headers=(Header.KEY, Header.CORRELATION),
    body=ProposalSimulateRequest,
    refusals=(ProposalSimulationDisabled, IdempotencyKeyConflict, ResultTooLarge, *PROPOSAL_STORE),
    replays=True,
)

OPERATIONS: tuple[Operation, ...] = (
    simulation(
        path=f"{ROOT}/simulate",
        name="simulate_proposal",
        handler=simulations_handlers.simulate,
        needs_store=False,
        summary="Simulate a proposal",
        description="What the cash flows and trades of an adviser come to: funding, drift, suitability and "
        "the gate that follows. `options.enable_proposal_simulation` has to be true.",
        answer=ProposalResult,
        example="proposal_simulate",
    ),
    simulation(
        path=f"{ROOT}/artifact",
        name="build_proposal_artifact_endpoint",
        handler=simulations_handlers.build_artifact,
        needs_store=False,
        summary="Build the artifact of a proposal",
        description="The same simulation as the document a client is shown. A key is the same key here and "
        "at `simulate`.",
        answer=ArtifactDocument,
        example="proposal_artifact",
    ),
)
