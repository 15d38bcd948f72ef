"""Errors of background operations."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound


class OperationsDisabled(NotFound):
    """A setting switches the routes of operations off."""

    code = message = "DPM_ASYNC_OPERATIONS_DISABLED"


class ManualExecutionDisabled(NotFound):
    """A setting switches the execution of an operation by hand off."""

    code = message = "DPM_ASYNC_MANUAL_EXECUTION_DISABLED"


class OperationNotFound(NotFound):
    """There is no such operation, or it has expired."""

    code = message = "DPM_ASYNC_OPERATION_NOT_FOUND"


class OperationExists(Conflict):
    """A drawn operation id is taken; never reaches a caller, the flow draws another."""

    code = message = "DPM_ASYNC_OPERATION_EXISTS"


class OperationNotPending(Conflict):
    """The operation is not pending, or another process runs it."""

    code = message = "DPM_ASYNC_OPERATION_NOT_EXECUTABLE"


class OperationEnded(Conflict):
    """It has ended, so it cannot be cancelled; the caller is told how it ended and when."""

    code = "DPM_ASYNC_OPERATION_NOT_CANCELLABLE"
    message = "DPM_ASYNC_OPERATION_NOT_CANCELLABLE: the operation ended as {outcome} at {finished_at}"
    shown = ("outcome", "finished_at")


class LeaseLost(Conflict):
    """The claim is no longer ours; never reaches a caller, who gets the operation as it is."""

    code = message = "DPM_ASYNC_OPERATION_LOST"
