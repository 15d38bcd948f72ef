"""Puts together where engine work is done, and has loaded beforehand what it takes time to load."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from service.errors.requests import RequestInvalid
from service.flows.dpm_runs.computing import FAULTY, Readers, prepare
from service.flows.proposals.versions import ProposalReaders
from service.observability.instruments import NOOP_METRICS, EngineProcessMetrics
from service.runtime.engine_process import EngineLimits
from service.runtime.process_pool import EngineProcesses
from service.settings.process import Settings


def engine_processes_of(
    settings: Settings, readers: Readers, measures: EngineProcessMetrics = NOOP_METRICS
) -> EngineProcesses:
    """Where engine work is done, each piece within its bounds."""
    limits = EngineLimits(
        seconds_max=settings.engines.seconds_max, memory_bytes_max=settings.engines.memory_bytes_max
    )
    return EngineProcesses(
        settings.engine_processes, limits, prepare=partial(prepare, readers), measures=measures
    )


def load_explanations(readers: Readers, proposals: ProposalReaders) -> None:
    """Loads what says what is wrong with bodies.

    The first caller who sends one would wait for it some tenth of a second, and all others with them.
    """
    prepare(readers)
    for read in (proposals.simulate, proposals.create, proposals.transition, proposals.approval):
        with suppress(RequestInvalid):
            read(FAULTY)
