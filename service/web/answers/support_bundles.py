"""Answers with everything that is known of a run."""

from __future__ import annotations

from typing import Annotated

import msgspec

from service.domains.dpm_runs.values import RunSummary
from service.domains.values.ids import RunId
from service.domains.values.published import document, published
from service.flows.dpm_runs.artifacts import ArtifactDocument
from service.web.answers.dpm_runs import RunLookup
from service.web.answers.idempotency import KeyHistory
from service.web.answers.lineage import Lineage
from service.web.answers.operations import OperationStatus
from service.web.answers.workflow_decisions import WorkflowHistory


@published("DpmRelatedRun")
class RelatedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the analysis that a run belongs to."""

    rebalance_run_id: RunId
    scenario: str | None
    """Name of the scenario that the run computed; null where it is none of a batch."""
    status: str
    """What the simulation came to.

    Values as of `service.domains.rebalances.results.values.RunStatusText`.
    """
    created_at: str
    """Instant at which the run was recorded, in UTC."""


@published("DpmRunSupportBundleResponse")
class SupportBundleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunSupportBundleResponse`, and the runs of the same analysis; the artifact is the kept bytes."""

    run: RunLookup
    """The run with its result."""
    artifact: Annotated[msgspec.Raw | None, document(ArtifactDocument | None)]
    """Artifact of the run; null where it was not asked for."""
    async_operation: OperationStatus | None
    """Operation that the run came of; null where there is none or it was not asked for."""
    workflow_history: WorkflowHistory
    """Decisions on the run."""
    lineage: Lineage
    """Edges at the run."""
    idempotency_history: KeyHistory | None
    """Uses of the key that the run was sent with; null without a key, or where it was not asked for."""
    related_runs: list[RelatedRun]
    """Runs of the analysis that the run belongs to, itself included; empty where it belongs to none."""


def related(head: RunSummary) -> RelatedRun:
    return RelatedRun(
        rebalance_run_id=head.rebalance_run_id,
        scenario=head.scenario,
        status=head.status.value,
        created_at=head.created_at.isoformat(),
    )
