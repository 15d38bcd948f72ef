"""The shorter way of PostgreSQL to record a run."""

from __future__ import annotations

from collections.abc import Sequence

from service.domains.dpm_runs.artifacts import edge_of_artifact
from service.domains.dpm_runs.values import RecordRun
from service.domains.idempotency import KeyScope
from service.errors.dpm_runs import RunExists
from service.storage.sql import lineage
from service.storage.sql.acts import Act, one
from service.storage.sql.dpm_runs import artifacts
from service.storage.sql.dpm_runs.rows import row_of
from service.storage.sql.dpm_runs.runs import NOUN


def record_in_one_trip(admission: RecordRun, digests: Sequence[str]) -> Act[bool]:
    """Record a run under a key that is free; False, and nothing written, when the key is taken."""
    run, artifact = admission.run, admission.artifact
    edges = [*admission.edges, *([edge_of_artifact(artifact)] if artifact else [])]
    body_sha256, result_sha256 = digests
    row = row_of(run, result_sha256)
    del row["scenario"]
    outcome = yield from one(
        NOUN,
        "admit_run",
        **row,
        family=KeyScope.DPM_SIMULATE.value,
        body_sha256=body_sha256,
        body=admission.request.body,
        edges=lineage.text_of(edges),
    )
    assert outcome is not None, "an outcome is a row"
    if outcome["claimed"] and not outcome["recorded"]:
        raise RunExists(id=run.rebalance_run_id)
    if outcome["claimed"] and artifact:
        yield from artifacts.insert_artifacts([artifact])
    return bool(outcome["claimed"])
