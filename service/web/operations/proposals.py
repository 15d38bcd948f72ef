"""The operations on proposals of advisers."""

from __future__ import annotations

from functools import partial

from service.domains.proposals.requests import (
    ProposalApprovalRequest,
    ProposalCreateRequest,
    ProposalStateTransitionRequest,
    ProposalVersionRequest,
)
from service.errors.engines import ResultTooLarge
from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.proposals import (
    ApprovalRequired,
    FourEyesViolation,
    InvalidApprovalState,
    InvalidTransition,
    PortfolioContextMismatch,
    ProposalKeyNotFound,
    ProposalNotFound,
    ProposalsDisabled,
    ProposalSimulationDisabled,
    ProposalStateConflict,
    ProposalSupportDisabled,
    ProposalTerminal,
    ProposalVersionBlocked,
    ProposalVersionMismatch,
    ProposalVersionNotFound,
)
from service.web.answers.proposals.parts import VersionDetail
from service.web.answers.proposals.proposals import (
    Approvals,
    Created,
    Detail,
    ProposalKeyLookup,
    ProposalLineage,
    ProposalList,
    Timeline,
    Transitioned,
)
from service.web.answers.proposals.support import SupportabilityConfig
from service.web.feature_flags import Flag
from service.web.handlers.proposals import proposals as proposals_handlers
from service.web.handlers.proposals import support as support_handlers
from service.web.operations.row import PROPOSAL_STORE, Header, Operation, Refusals, Tag
from service.web.schemas.parameters import HistoryQuery, VersionHistoryQuery
from service.web.schemas.proposals import EvidenceQuery, ProposalListQuery

ROOT = "/rebalance/proposals"
BY_PROPOSAL = f"{ROOT}/{{proposal_id}}"
OPEN: Refusals = (ProposalsDisabled, *PROPOSAL_STORE)
SUPPORT: Refusals = (*OPEN, ProposalSupportDisabled)


act = partial(Operation, method="POST", tag=Tag.LIFECYCLE)
found = partial(Operation, method="GET", tag=Tag.LIFECYCLE)

ACTS: tuple[Operation, ...] = (
    act(
        path=ROOT,
        name="create_proposal",
        handler=proposals_handlers.create,
        flags=(Flag.PROPOSALS,),
        summary="Create a proposal",
        description="Simulates the proposal and records it as a draft with its first version.",
        answer=Created,
        headers=(Header.KEY, Header.CORRELATION),
        body=ProposalCreateRequest,
        refusals=(*OPEN, ProposalSimulationDisabled, IdempotencyKeyConflict, ResultTooLarge),
        replays=True,
        example="create_proposal",
    ),
    act(
        path=f"{BY_PROPOSAL}/versions",
        name="create_proposal_version",
        handler=proposals_handlers.add_version,
        flags=(Flag.PROPOSALS,),
        summary="Add a version",
        description="Simulates the proposal anew and records the next version, which returns it to draft "
        "unless that is switched off.",
        answer=Created,
        headers=(Header.OPTIONAL_KEY, Header.CORRELATION),
        body=ProposalVersionRequest,
        refusals=(
            *OPEN,
            ProposalNotFound,
            ProposalStateConflict,
            ProposalTerminal,
            ProposalSimulationDisabled,
            PortfolioContextMismatch,
            IdempotencyKeyConflict,
            ResultTooLarge,
        ),
        replays=True,
        example="create_version",
    ),
    act(
        path=f"{BY_PROPOSAL}/transitions",
        name="transition_proposal_state",
        handler=proposals_handlers.transition,
        flags=(Flag.PROPOSALS,),
        summary="Move a proposal on",
        description="One event, if the state allows it. What means an approval is refused here and taken as "
        "an approval.",
        answer=Transitioned,
        headers=(Header.OPTIONAL_KEY,),
        body=ProposalStateTransitionRequest,
        refusals=(
            *OPEN,
            ProposalNotFound,
            ProposalStateConflict,
            InvalidTransition,
            ApprovalRequired,
            ProposalVersionMismatch,
            ProposalVersionBlocked,
            IdempotencyKeyConflict,
        ),
        replays=True,
        example="transition",
    ),
    act(
        path=f"{BY_PROPOSAL}/approvals",
        name="record_proposal_approval",
        handler=proposals_handlers.approve,
        flags=(Flag.PROPOSALS,),
        summary="Approve or refuse a proposal",
        description="Records an approval and moves the proposal on, in one step; one that is not given "
        "rejects the proposal.",
        answer=Transitioned,
        headers=(Header.OPTIONAL_KEY,),
        body=ProposalApprovalRequest,
        refusals=(
            *OPEN,
            ProposalNotFound,
            ProposalStateConflict,
            InvalidApprovalState,
            ProposalVersionMismatch,
            FourEyesViolation,
            ProposalVersionBlocked,
            IdempotencyKeyConflict,
        ),
        replays=True,
        example="approval",
    ),
)

LOOKUPS: tuple[Operation, ...] = (
    found(
        path=ROOT,
        name="list_proposals",
        handler=proposals_handlers.list_proposals,
        flags=(Flag.PROPOSALS,),
        summary="List proposals",
        description="Proposals without their versions, newest first, a page at a time.",
        answer=ProposalList,
        query=ProposalListQuery,
        refusals=OPEN,
        example="proposal_list",
    ),
    found(
        path=BY_PROPOSAL,
        name="get_proposal",
        handler=proposals_handlers.get_proposal,
        flags=(Flag.PROPOSALS,),
        summary="One proposal",
        description="The proposal with its current version.",
        answer=Detail,
        query=EvidenceQuery,
        refusals=(*OPEN, ProposalNotFound, ProposalVersionNotFound),
        example="proposal",
    ),
    found(
        path=f"{BY_PROPOSAL}/versions/{{version_no}}",
        name="get_proposal_version",
        handler=proposals_handlers.get_version,
        flags=(Flag.PROPOSALS,),
        reads_query=False,
        summary="One version of a proposal",
        description="The version with its simulation, its artifact and the evidence.",
        answer=VersionDetail,
        query=EvidenceQuery,
        refusals=(*OPEN, ProposalVersionNotFound),
        example="version",
    ),
    found(
        path=f"{ROOT}/supportability/config",
        name="get_proposal_supportability_config",
        handler=support_handlers.get_config,
        needs_store=False,
        summary="How proposals are set up",
        description="Which store there is and whether it answers, and which controls are on.",
        answer=SupportabilityConfig,
        example="proposal_config",
    ),
    found(
        path=f"{BY_PROPOSAL}/workflow-events",
        name="get_proposal_workflow_timeline",
        handler=support_handlers.list_events,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_SUPPORT),
        summary="The events of a proposal",
        description="The events, oldest first; where more follow, there is a `next_cursor`.",
        answer=Timeline,
        query=HistoryQuery,
        refusals=(*SUPPORT, ProposalNotFound),
        example="timeline",
    ),
    found(
        path=f"{BY_PROPOSAL}/approvals",
        name="get_proposal_approvals",
        handler=support_handlers.list_approvals,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_SUPPORT),
        summary="The approvals of a proposal",
        description="What was approved and what was refused, oldest first; where more follow, there is a "
        "`next_cursor`.",
        answer=Approvals,
        query=HistoryQuery,
        refusals=(*SUPPORT, ProposalNotFound),
        example="approvals",
    ),
    found(
        path=f"{BY_PROPOSAL}/lineage",
        name="get_proposal_lineage",
        handler=support_handlers.get_lineage,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_SUPPORT),
        summary="The versions of a proposal",
        description="The versions with their hashes, oldest first, and the edges they brought; where more "
        "follow, there is a `next_cursor`.",
        answer=ProposalLineage,
        query=VersionHistoryQuery,
        refusals=(*SUPPORT, ProposalNotFound),
        example="proposal_lineage",
    ),
    found(
        path=f"{ROOT}/idempotency/{{idempotency_key}}",
        name="get_proposal_idempotency_lookup",
        handler=support_handlers.get_key,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_SUPPORT),
        summary="The proposal that a key stands for",
        description="The proposal that was created under the key.",
        answer=ProposalKeyLookup,
        refusals=(*SUPPORT, ProposalKeyNotFound),
        example="proposal_key",
    ),
)

OPERATIONS: tuple[Operation, ...] = (*ACTS, *LOOKUPS)
