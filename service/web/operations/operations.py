"""The operations on batches that were accepted for later."""

from __future__ import annotations

from service.errors.dpm_runs import ReplayEngineUnknown
from service.errors.operations import (
    ManualExecutionDisabled,
    OperationEnded,
    OperationNotFound,
    OperationNotPending,
    OperationsDisabled,
)
from service.web.answers.operations import OPERATIONS as PATH
from service.web.answers.operations import OperationList, OperationStatus
from service.web.feature_flags import Flag
from service.web.handlers import operations as operations_handlers
from service.web.operations.row import STORE, SUPPORT, Operation, Tag
from service.web.schemas.parameters import OperationListQuery

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="list_dpm_async_operations",
        handler=operations_handlers.list_operations,
        flags=(Flag.SUPPORT_APIS, Flag.OPERATIONS),
        tag=Tag.SUPPORT,
        summary="List operations",
        description="Operations without their results, newest first, a page at a time.",
        answer=OperationList,
        query=OperationListQuery,
        refusals=(*SUPPORT, OperationsDisabled),
        example="operation_list",
    ),
    Operation(
        method="GET",
        path=f"{PATH}/by-correlation/{{correlation_id}}",
        name="get_dpm_async_operation_by_correlation",
        handler=operations_handlers.get_operation_by_correlation,
        flags=(Flag.SUPPORT_APIS, Flag.OPERATIONS),
        tag=Tag.SUPPORT,
        summary="The newest operation of a correlation id",
        description="The operation accepted last under the id, with its result once there is one.",
        answer=OperationStatus,
        refusals=(*SUPPORT, OperationsDisabled, OperationNotFound),
        example="operation",
    ),
    Operation(
        method="GET",
        path=f"{PATH}/{{operation_id}}",
        name="get_dpm_async_operation",
        handler=operations_handlers.get_operation,
        flags=(Flag.SUPPORT_APIS, Flag.OPERATIONS),
        tag=Tag.SUPPORT,
        summary="One operation",
        description="The operation with its result once there is one, a `BatchRebalanceResult`.",
        answer=OperationStatus,
        refusals=(*SUPPORT, OperationsDisabled, OperationNotFound),
        example="operation",
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{operation_id}}/cancel",
        name="cancel_dpm_async_operation",
        handler=operations_handlers.cancel,
        flags=(Flag.OPERATIONS,),
        tag=Tag.SUPPORT,
        summary="Cancel a pending or running operation",
        description="The operation ends as FAILED with the code `DPM_ASYNC_OPERATION_CANCELLED`; nothing of "
        "what was done is recorded, and who works on it stops. One that has ended is refused; `outcome` and "
        "`finished_at` tell how it ended and when.",
        answer=OperationStatus,
        refusals=(OperationsDisabled, OperationNotFound, OperationEnded, *STORE),
        example="cancelled_operation",
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{operation_id}}/execute",
        name="execute_dpm_async_operation",
        handler=operations_handlers.execute,
        flags=(Flag.OPERATIONS, Flag.MANUAL_EXECUTION),
        tag=Tag.SUPPORT,
        summary="Execute a pending operation",
        description="Does what the operation was accepted for and waits for its end; one that fails is "
        "answered as it stands too.",
        answer=OperationStatus,
        refusals=(
            OperationsDisabled,
            ManualExecutionDisabled,
            OperationNotFound,
            OperationNotPending,
            ReplayEngineUnknown,
            *STORE,
        ),
        example="operation",
    ),
)
