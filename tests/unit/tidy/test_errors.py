"""Codes are a contract: none changes, none is used twice."""

from service import errors
from service.web.refusals import status_of

FROZEN = {
    "DPM_ARTIFACTS_DISABLED": 404,
    "DPM_ASYNC_MANUAL_EXECUTION_DISABLED": 404,
    "DPM_ASYNC_OPERATIONS_DISABLED": 404,
    "DPM_ASYNC_OPERATION_EXISTS": 409,
    "DPM_ASYNC_OPERATION_LOST": 409,
    "DPM_ASYNC_OPERATION_NOT_EXECUTABLE": 409,
    "DPM_ASYNC_OPERATION_NOT_FOUND": 404,
    "DPM_IDEMPOTENCY_HISTORY_APIS_DISABLED": 404,
    "DPM_IDEMPOTENCY_KEY_NOT_FOUND": 404,
    "DPM_LINEAGE_APIS_DISABLED": 404,
    "DPM_REPLAY_ENGINE_UNKNOWN": 409,
    "DPM_RUN_EXISTS": 409,
    "DPM_RUN_NOT_FOUND": 404,
    "DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED": 503,
    "DPM_SUPPORTABILITY_POSTGRES_DSN_REQUIRED": 503,
    "DPM_SUPPORTABILITY_STORE_UNAVAILABLE": 503,
    "DPM_SUPPORTABILITY_SUMMARY_APIS_DISABLED": 404,
    "DPM_SUPPORT_APIS_DISABLED": 404,
    "DPM_SUPPORT_BUNDLE_APIS_DISABLED": 404,
    "DPM_WORKFLOW_DECISION_EXISTS": 409,
    "DPM_WORKFLOW_DISABLED": 404,
    "DPM_WORKFLOW_INVALID_TRANSITION": 409,
    "DPM_WORKFLOW_NOT_REQUIRED_FOR_RUN_STATUS": 409,
    "DPM_WORKFLOW_STATE_CONFLICT": 409,
    "IDEMPOTENCY_KEY_CONFLICT": 409,
    "JSON_TOO_DEEP": 422,
    "PROPOSAL_SIMULATION_DISABLED": 422,
    "REQUEST_BODY_TOO_LARGE": 413,
    "REQUEST_BODY_UNREADABLE": 400,
    "REQUEST_VALIDATION_FAILED": 422,
    "SERVICE_STOPPING": 503,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}


def coded(kind):
    own = [kind] if "code" in vars(kind) else []
    return own + [found for below in kind.__subclasses__() for found in coded(below)]


def test_codes_and_their_statuses_are_frozen():
    found = coded(errors.ServiceError)

    assert {kind.code: status_of(kind) for kind in found} == FROZEN
    assert len({kind.code for kind in found}) == len(found)
