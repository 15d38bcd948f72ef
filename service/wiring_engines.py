"""Puts together where engine work is done."""

from __future__ import annotations

from functools import partial

from service.engine_process import EngineLimits
from service.flows.dpm_computing import Readers, prepare
from service.measures import UNWATCHED, EngineProcessMeasures
from service.processes import EngineProcesses
from service.settings import Settings


def engine_processes_of(
    settings: Settings, readers: Readers, measures: EngineProcessMeasures = UNWATCHED
) -> EngineProcesses:
    """Where engine work is done, each piece within its bounds."""
    limits = EngineLimits(
        seconds_max=settings.engines.seconds_max, memory_bytes_max=settings.engines.memory_bytes_max
    )
    return EngineProcesses(
        settings.engine_processes, limits, prepare=partial(prepare, readers), measures=measures
    )
