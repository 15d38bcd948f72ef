"""The operations on creations and versions of proposals that were accepted for later."""

from __future__ import annotations

from http import HTTPStatus

from service.domains.proposals.requests import ProposalCreateRequest, ProposalVersionRequest
from service.errors.operations import OperationEnded
from service.errors.proposals import ProposalNotFound, ProposalOperationNotFound, ProposalOperationsDisabled
from service.web.answers.proposals.operations import ProposalOperationAccepted, ProposalOperationStatus
from service.web.feature_flags import Flag
from service.web.handlers.proposals import operations as operations_handlers
from service.web.handlers.proposals.operations import OPERATIONS as BY_OPERATION
from service.web.operations.proposals import BY_PROPOSAL, OPEN, ROOT, act, found
from service.web.operations.row import Header, Operation, Refusals

LATER: Refusals = (*OPEN, ProposalOperationsDisabled)

OPERATIONS: tuple[Operation, ...] = (
    act(
        path=f"{ROOT}/async",
        name="create_proposal_async",
        handler=operations_handlers.submit_creation,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_OPERATIONS),
        summary="Accept a proposal for later",
        description="Takes what creating takes and answers with an operation to look up.",
        answer=ProposalOperationAccepted,
        status=HTTPStatus.ACCEPTED,
        accepts=True,
        headers=(Header.KEY, Header.CORRELATION),
        body=ProposalCreateRequest,
        refusals=LATER,
        example="create_proposal_async",
    ),
    act(
        path=f"{BY_PROPOSAL}/versions/async",
        name="create_proposal_version_async",
        handler=operations_handlers.submit_version,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_OPERATIONS),
        summary="Accept a version for later",
        description="Takes what adding a version takes and answers with an operation to look up; a proposal "
        "that is not there is told by the operation.",
        answer=ProposalOperationAccepted,
        status=HTTPStatus.ACCEPTED,
        accepts=True,
        headers=(Header.CORRELATION,),
        body=ProposalVersionRequest,
        refusals=(*LATER, ProposalNotFound),
        example="create_version_async",
    ),
    act(
        path=f"{BY_OPERATION}/{{operation_id}}/cancel",
        name="cancel_proposal_async_operation",
        handler=operations_handlers.cancel,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_OPERATIONS),
        summary="Cancel a pending or running operation on proposals",
        description="The operation ends as FAILED with the code `DPM_ASYNC_OPERATION_CANCELLED`; nothing of "
        "what was done is recorded, and who works on it stops. One that has ended is refused; `outcome` and "
        "`finished_at` tell how it ended and when.",
        answer=ProposalOperationStatus,
        refusals=(*LATER, ProposalOperationNotFound, OperationEnded),
        example="cancelled_proposal_operation",
    ),
    found(
        path=f"{BY_OPERATION}/{{operation_id}}",
        name="get_proposal_async_operation",
        handler=operations_handlers.get_operation,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_OPERATIONS),
        summary="One operation on proposals",
        description="The operation with its result once there is one.",
        answer=ProposalOperationStatus,
        refusals=(*LATER, ProposalOperationNotFound),
        example="proposal_operation",
    ),
    found(
        path=f"{BY_OPERATION}/by-correlation/{{correlation_id}}",
        name="get_proposal_async_operation_by_correlation",
        handler=operations_handlers.get_operation_by_correlation,
        flags=(Flag.PROPOSALS, Flag.PROPOSAL_OPERATIONS),
        summary="The newest operation of a correlation id",
        description="The operation accepted last under the id, with its result once there is one.",
        answer=ProposalOperationStatus,
        refusals=(*LATER, ProposalOperationNotFound),
        example="proposal_operation",
    ),
)
