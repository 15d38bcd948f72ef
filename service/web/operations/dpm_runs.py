"""The operations on runs of the discretionary desk: computed, looked up, replayed, explained."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.errors.dpm_runs import (
    ArtifactsDisabled,
    ReplayEngineUnknown,
    RunNotFound,
    SummaryApisDisabled,
)
from service.errors.engines import ResultTooLarge
from service.errors.idempotency import HistoryApisDisabled, IdempotencyKeyConflict, IdempotencyKeyNotFound
from service.errors.lineage import LineageApisDisabled
from service.errors.operations import OperationsDisabled
from service.errors.policy_packs import PolicyDsnRequired, PolicyPackUnknown, PolicyStoreUnavailable
from service.flows.dpm_runs.artifacts import ArtifactDocument
from service.web.answers.dpm_runs import BatchAnswer, RunList, RunLookup
from service.web.answers.idempotency import KeyHistory, KeyLookup
from service.web.answers.lineage import Lineage
from service.web.answers.operations import OperationAccepted
from service.web.answers.replays import ReplayAnswer
from service.web.answers.shadow_differences import Parity
from service.web.answers.supportability import SupportabilitySummary
from service.web.feature_flags import Flag
from service.web.handlers import idempotency as idempotency_handlers
from service.web.handlers import lineage as lineage_handlers
from service.web.handlers import operations as operations_handlers
from service.web.handlers import shadow_differences as shadow_differences_handlers
from service.web.handlers.dpm_runs import artifacts as artifacts_handlers
from service.web.handlers.dpm_runs import replays as replays_handlers
from service.web.handlers.dpm_runs import run_requests as run_requests_handlers
from service.web.handlers.dpm_runs import runs as runs_handlers
from service.web.handlers.dpm_runs import supportability as supportability_handlers
from service.web.operations.row import PACK_HEADERS, STORE, SUPPORT, Header, Operation, Refusals, Tag
from service.web.schemas.parameters import HistoryQuery, LineageQuery, RunListQuery
from service.web.schemas.replays import ReplayQuery
from service.web.schemas.shadow_differences import ParityQuery

PACK: Refusals = (PolicyPackUnknown, PolicyDsnRequired, PolicyStoreUnavailable)
BY_RUN = "/rebalance/runs/{rebalance_run_id}"
BY_CORRELATION = "/rebalance/runs/by-correlation/{correlation_id}"
BY_KEY = "/rebalance/runs/idempotency/{idempotency_key}"
BY_OPERATION = "/rebalance/runs/by-operation/{operation_id}"


found = partial(Operation, method="GET", tag=Tag.SUPPORT)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path="/rebalance/simulate",
        name="simulate_rebalance",
        handler=runs_handlers.simulate,
        needs_store=False,
        tag=Tag.SIMULATION,
        summary="Simulate a rebalance",
        description="Values the book, finds target weights, sizes and orders the trades, checks the rules, "
        "and records the run. What the business makes of it is the `status` of the answer: `READY`, "
        "`PENDING_REVIEW` or `BLOCKED`.",
        answer=RebalanceResult,
        headers=(Header.KEY, Header.CORRELATION, *PACK_HEADERS),
        body=RebalanceRequest,
        refusals=(IdempotencyKeyConflict, ResultTooLarge, *PACK, *STORE),
        replays=True,
        tells_pack=True,
        example="simulate",
    ),
    Operation(
        method="POST",
        path="/rebalance/analyze",
        name="analyze_scenarios",
        handler=runs_handlers.analyze,
        needs_store=False,
        tag=Tag.WHAT_IF,
        summary="Compare scenarios over one book",
        description="Simulates 1 to 20 named scenarios, each with its own options, in the order of their "
        "names. A scenario that fails is named with its failure and harms no other; each that ran is "
        "recorded.",
        answer=BatchAnswer,
        headers=(Header.CORRELATION, *PACK_HEADERS),
        body=BatchRebalanceRequest,
        refusals=(*PACK, *STORE),
        tells_pack=True,
        example="analyze",
    ),
    Operation(
        method="POST",
        path="/rebalance/analyze/async",
        name="analyze_scenarios_async",
        handler=operations_handlers.submit,
        needs_store=False,
        flags=(Flag.OPERATIONS,),
        tag=Tag.WHAT_IF,
        summary="Accept scenarios for later",
        description="Takes what `analyze` takes and answers with an operation to look up. As it is set up, "
        "the operation is done before the answer, by a worker, or when it is executed.",
        answer=OperationAccepted,
        status=HTTPStatus.ACCEPTED,
        headers=(Header.OPTIONAL_KEY, Header.CORRELATION, *PACK_HEADERS),
        body=BatchRebalanceRequest,
        refusals=(OperationsDisabled, IdempotencyKeyConflict, *PACK, *STORE),
        replays=True,
        accepts=True,
        tells_pack=True,
        example="analyze_async",
    ),
    found(
        path="/rebalance/runs",
        name="list_runs",
        handler=runs_handlers.list_runs,
        flags=(Flag.SUPPORT_APIS,),
        summary="List runs",
        description="Runs without their results, newest first, a page at a time.",
        answer=RunList,
        query=RunListQuery,
        refusals=SUPPORT,
        example="run_list",
    ),
    found(
        path=BY_CORRELATION,
        name="get_run_by_correlation",
        handler=runs_handlers.get_run_by_correlation,
        flags=(Flag.SUPPORT_APIS,),
        summary="The newest run of a correlation id",
        description="The run recorded last under the id, with its whole result.",
        answer=RunLookup,
        refusals=(*SUPPORT, RunNotFound),
        example="run",
    ),
    found(
        path="/rebalance/runs/by-request-hash/{request_hash}",
        name="get_run_by_request_hash",
        handler=runs_handlers.get_run_by_request_hash,
        flags=(Flag.SUPPORT_APIS,),
        summary="The newest run of a request hash",
        description="The run recorded last for an equal request, with its whole result.",
        answer=RunLookup,
        refusals=(*SUPPORT, RunNotFound),
        example="run",
    ),
    found(
        path=BY_KEY,
        name="get_run_idempotency_lookup",
        handler=idempotency_handlers.get_simulation_key,
        flags=(Flag.SUPPORT_APIS,),
        summary="The run that a key stands for",
        description="The run that the idempotency key of a simulation is answered with.",
        answer=KeyLookup,
        refusals=(*SUPPORT, IdempotencyKeyNotFound),
        example="run_key",
    ),
    found(
        path=BY_RUN,
        name="get_run_by_run_id",
        handler=runs_handlers.get_run,
        flags=(Flag.SUPPORT_APIS,),
        summary="One run",
        description="The run with its whole result, in the very bytes it was answered with.",
        answer=RunLookup,
        refusals=(*SUPPORT, RunNotFound),
        example="run",
    ),
    found(
        path=f"{BY_RUN}/artifact",
        name="get_run_artifact_by_run_id",
        handler=artifacts_handlers.get_artifact,
        flags=(Flag.SUPPORT_APIS, Flag.ARTIFACTS),
        summary="The artifact of a run",
        description="The result with the evidence for it in one hashed document, the same bytes at every "
        "call.",
        answer=ArtifactDocument,
        refusals=(*SUPPORT, ArtifactsDisabled, ResultTooLarge, RunNotFound),
        example="run_artifact",
    ),
    found(
        path=f"{BY_RUN}/request",
        name="get_run_request_by_run_id",
        handler=run_requests_handlers.get_request,
        flags=(Flag.SUPPORT_APIS,),
        summary="What was asked for a run",
        description="The request as it was stored, in canonical JSON and the same bytes at every call. For a "
        "run of a batch it is the whole batch, and a header names the scenario.",
        answer=dict[str, Any],
        sends=("X-Request-Hash", "X-Scenario"),
        refusals=(*SUPPORT, RunNotFound),
        example="run_request",
    ),
    Operation(
        method="POST",
        path=f"{BY_RUN}/replay",
        name="replay_run",
        handler=replays_handlers.replay,
        flags=(Flag.SUPPORT_APIS,),
        tag=Tag.SUPPORT,
        summary="Compute a run again",
        description="Computes the run from its stored request with the engine that made it and compares the "
        "bytes. With `record`, the replay is kept as a run of its own.",
        answer=ReplayAnswer,
        query=ReplayQuery,
        headers=(Header.CORRELATION,),
        refusals=(*SUPPORT, RunNotFound, ReplayEngineUnknown),
        example="replay",
    ),
    found(
        path="/rebalance/idempotency/{idempotency_key}/history",
        name="get_run_idempotency_history",
        handler=idempotency_handlers.list_key_history,
        flags=(Flag.SUPPORT_APIS, Flag.HISTORY_APIS),
        summary="All runs of a key",
        description="Every run ever recorded under the key, oldest first; the key stands for the last of "
        "them. Where more follow, there is a `next_cursor`.",
        answer=KeyHistory,
        query=HistoryQuery,
        refusals=(*SUPPORT, HistoryApisDisabled, IdempotencyKeyNotFound),
        example="run_key_history",
    ),
    found(
        path="/rebalance/supportability/summary",
        name="get_dpm_supportability_summary",
        handler=supportability_handlers.get_summary,
        flags=(Flag.SUPPORT_APIS, Flag.SUMMARY_APIS),
        summary="What the store holds, in numbers",
        description="Exact counts of runs, operations, decisions and edges that have not expired.",
        answer=SupportabilitySummary,
        refusals=(*SUPPORT, SummaryApisDisabled),
        example="summary",
    ),
    found(
        path="/rebalance/supportability/parity",
        name="get_dpm_supportability_parity",
        handler=shadow_differences_handlers.get_parity,
        flags=(Flag.SUPPORT_APIS, Flag.SUMMARY_APIS),
        summary="Where the shadow differs",
        description="How the shadow does that repeats what this store keeps, and where it did otherwise, "
        "newest first. Without a shadow `shadow_backend` is null.",
        answer=Parity,
        query=ParityQuery,
        refusals=(*SUPPORT, SummaryApisDisabled),
        example="parity",
    ),
    found(
        path="/rebalance/lineage/{entity_id}",
        name="get_dpm_lineage",
        handler=lineage_handlers.list_lineage,
        flags=(Flag.SUPPORT_APIS, Flag.LINEAGE_APIS),
        summary="The edges around an entity",
        description="Which entity led to which, near or far; an unknown entity has no edges.",
        answer=Lineage,
        query=LineageQuery,
        refusals=(*SUPPORT, LineageApisDisabled),
        example="lineage",
    ),
)
