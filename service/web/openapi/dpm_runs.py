"""The operations on runs of the discretionary desk: computed, looked up, replayed, explained."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.errors.dpm_runs import (
    ArtifactsDisabled,
    BundleApisDisabled,
    ReplayEngineUnknown,
    RunNotFound,
    SummaryApisDisabled,
)
from service.errors.engines import ResultTooLarge
from service.errors.idempotency import HistoryApisDisabled, IdempotencyKeyConflict, IdempotencyKeyNotFound
from service.errors.lineage import LineageApisDisabled
from service.errors.operations import OperationNotFound, OperationsDisabled
from service.errors.policy_packs import PolicyDsnRequired, PolicyPackUnknown, PolicyStoreUnavailable
from service.flows.dpm_runs.artifacts import ArtifactDocument
from service.web.answers.dpm_runs import BatchAnswer, RunList, RunLookup
from service.web.answers.idempotency import KeyHistory, KeyLookup
from service.web.answers.lineage import Lineage
from service.web.answers.operations import OperationAccepted
from service.web.answers.replays import ReplayAnswer
from service.web.answers.shadow_differences import Parity
from service.web.answers.support_bundles import SupportBundleAnswer
from service.web.answers.supportability import SupportabilitySummary
from service.web.openapi.operation import (
    PACK_HEADERS,
    STORE,
    SUPPORT,
    Header,
    Operation,
    Refusals,
    Tag,
)
from service.web.schemas.parameters import HistoryQuery, LineageQuery, RunListQuery
from service.web.schemas.replays import ReplayQuery
from service.web.schemas.shadow_differences import ParityQuery
from service.web.schemas.support_bundles import SupportBundleQuery

PACK: Refusals = (PolicyPackUnknown, PolicyDsnRequired, PolicyStoreUnavailable)
BY_RUN = "/rebalance/runs/{rebalance_run_id}"
BY_CORRELATION = "/rebalance/runs/by-correlation/{correlation_id}"
BY_KEY = "/rebalance/runs/idempotency/{idempotency_key}"
BY_OPERATION = "/rebalance/runs/by-operation/{operation_id}"


found = partial(Operation, method="GET", tag=Tag.SUPPORT)


def _bundle(path: str, name: str, *, of_what: str, missing: Refusals) -> Operation:
    return found(
        path=f"{path}/support-bundle",
        name=name,
        summary=f"Everything known about {of_what}",
        description="The run with its artifact, operation, reviews, lineage, uses of its key, and the runs "
        "of the same analysis. Each part that costs something can be left out.",
        answer=SupportBundleAnswer,
        query=SupportBundleQuery,
        refusals=(*SUPPORT, BundleApisDisabled, ResultTooLarge, *missing),
        example="support_bundle",
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path="/rebalance/simulate",
        name="simulate_rebalance",
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
        summary="The newest run of a correlation id",
        description="The run recorded last under the id, with its whole result.",
        answer=RunLookup,
        refusals=(*SUPPORT, RunNotFound),
        example="run",
    ),
    found(
        path="/rebalance/runs/by-request-hash/{request_hash}",
        name="get_run_by_request_hash",
        summary="The newest run of a request hash",
        description="The run recorded last for an equal request, with its whole result.",
        answer=RunLookup,
        refusals=(*SUPPORT, RunNotFound),
        example="run",
    ),
    found(
        path=BY_KEY,
        name="get_run_idempotency_lookup",
        summary="The run that a key stands for",
        description="The run that the idempotency key of a simulation is answered with.",
        answer=KeyLookup,
        refusals=(*SUPPORT, IdempotencyKeyNotFound),
        example="run_key",
    ),
    _bundle(
        BY_CORRELATION,
        "get_dpm_run_support_bundle_by_correlation",
        of_what="a correlation id",
        missing=(RunNotFound,),
    ),
    _bundle(
        BY_KEY,
        "get_dpm_run_support_bundle_by_idempotency",
        of_what="the run of a key",
        missing=(IdempotencyKeyNotFound, RunNotFound),
    ),
    _bundle(
        BY_OPERATION,
        "get_dpm_run_support_bundle_by_operation",
        of_what="the run of an operation",
        missing=(OperationNotFound, RunNotFound),
    ),
    _bundle(BY_RUN, "get_dpm_run_support_bundle", of_what="a run", missing=(RunNotFound,)),
    found(
        path=BY_RUN,
        name="get_run_by_run_id",
        summary="One run",
        description="The run with its whole result, in the very bytes it was answered with.",
        answer=RunLookup,
        refusals=(*SUPPORT, RunNotFound),
        example="run",
    ),
    found(
        path=f"{BY_RUN}/artifact",
        name="get_run_artifact_by_run_id",
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
        summary="What the store holds, in numbers",
        description="Exact counts of runs, operations, decisions and edges that have not expired.",
        answer=SupportabilitySummary,
        refusals=(*SUPPORT, SummaryApisDisabled),
        example="summary",
    ),
    found(
        path="/rebalance/supportability/parity",
        name="get_dpm_supportability_parity",
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
        summary="The edges around an entity",
        description="Which entity led to which, near or far; an unknown entity has no edges.",
        answer=Lineage,
        query=LineageQuery,
        refusals=(*SUPPORT, LineageApisDisabled),
        example="lineage",
    ),
)
