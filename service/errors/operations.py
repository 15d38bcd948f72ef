"""Errors of background operations."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound


class OperationsDisabled(NotFound):
    """Background operations of the discretionary desk are switched off."""

    code = message = "DPM_ASYNC_OPERATIONS_DISABLED"


class ManualExecutionDisabled(NotFound):
    """Running an operation by request is switched off."""

    code = message = "DPM_ASYNC_MANUAL_EXECUTION_DISABLED"


class OperationNotFound(NotFound):
    """No operation is stored under this id."""

    code = message = "DPM_ASYNC_OPERATION_NOT_FOUND"


class OperationExists(Conflict):
    """A drawn operation id is taken; never reaches a caller, the flow draws another."""

    code = message = "DPM_ASYNC_OPERATION_EXISTS"


class OperationNotPending(Conflict):
    """The operation is not pending any more, so it cannot be run by request."""

    code = message = "DPM_ASYNC_OPERATION_NOT_EXECUTABLE"


class OperationEnded(Conflict):
    """The operation has ended, so it cannot be cancelled; the problem says how and when it ended."""

    code = "DPM_ASYNC_OPERATION_NOT_CANCELLABLE"
    message = "DPM_ASYNC_OPERATION_NOT_CANCELLABLE: the operation ended as {outcome} at {finished_at}"
    shown = ("outcome", "finished_at")


class LeaseLost(Conflict):
    """The claim is no longer ours; never reaches a caller, who gets the operation as it is."""

    code = message = "DPM_ASYNC_OPERATION_LOST"
