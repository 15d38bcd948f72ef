"""One scenario of an analysis, computed elsewhere; what ends its process fails it and nothing else."""

from __future__ import annotations

import structlog

from service.domains.operations import StagedScenario
from service.errors.engines import GivenUp
from service.flows.dpm_runs.analyses import failed_scenario, reason_of, run_scenario
from service.runtime.process_pool import EngineProcessDied, Executor

logger = structlog.get_logger()

# What ends a process, by force or by itself, with the work that was done in it.
PROCESS_ENDED = (EngineProcessDied, GivenUp)


async def compute_scenario(
    offload: Executor, plan: bytes, bytes_max: int, name: str, **told: object
) -> StagedScenario:
    """What came of a scenario of a written plan; `told` goes into the log where it ended its process."""
    try:
        return await offload(run_scenario, plan, bytes_max, name)
    except PROCESS_ENDED as error:
        reason = reason_of(error)
        logger.error("engine_process_crashed", scenario=name, reason=reason, **told)
        return failed_scenario(name, reason)
