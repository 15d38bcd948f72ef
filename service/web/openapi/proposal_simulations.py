"""The operations that simulate a proposal and keep nothing of it for long."""

from __future__ import annotations

from functools import partial

from service.domains.proposal_artifacts import ArtifactDocument
from service.domains.proposal_requests import ProposalSimulateRequest
from service.domains.proposal_results import ProposalResult
from service.engine_errors import ResultTooLarge
from service.errors import IdempotencyKeyConflict, ProposalSimulationDisabled
from service.web.openapi.operation import PROPOSAL_STORE, Header, Operation, Tag
from service.web.openapi.proposals import ROOT

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
        summary="Simulate a proposal",
        description="What the cash flows and trades of an adviser come to: funding, drift, suitability and "
        "the gate that follows. `options.enable_proposal_simulation` has to be true.",
        answer=ProposalResult,
        example="proposal_simulate",
    ),
    simulation(
        path=f"{ROOT}/artifact",
        name="build_proposal_artifact_endpoint",
        summary="Build the artifact of a proposal",
        description="The same simulation as the document a client is shown. A key is the same key here and "
        "at `simulate`.",
        answer=ArtifactDocument,
        example="proposal_artifact",
    ),
)
