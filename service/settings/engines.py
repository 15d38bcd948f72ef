"""What one piece of engine work may use, and how large an answer may be."""

from __future__ import annotations

from dataclasses import dataclass

from environs import Env

from service.settings.environment import read_count

ENGINE_SECONDS_MAX_DEFAULT = 20
ENGINE_MEMORY_BYTES_MAX_DEFAULT = 1024 * 1024 * 1024
# The interpreter, its libraries and what they map come to tens of megabytes by themselves.
ENGINE_MEMORY_BYTES_LEAST = 16 * 1024 * 1024
RESULT_BYTES_MAX_DEFAULT = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Whole seconds of processor time; bytes beyond what a process has at its start; bytes of an answer."""

    seconds_max: int
    memory_bytes_max: int
    result_bytes_max: int


def read(env: Env) -> EngineSettings:
    """Reads the variables of engine work; faults are gathered in the environment that is handed in."""
    return EngineSettings(
        seconds_max=read_count(env, "DPM_ENGINE_SECONDS_MAX", ENGINE_SECONDS_MAX_DEFAULT),
        memory_bytes_max=read_count(
            env,
            "DPM_ENGINE_MEMORY_BYTES_MAX",
            ENGINE_MEMORY_BYTES_MAX_DEFAULT,
            least=ENGINE_MEMORY_BYTES_LEAST,
        ),
        result_bytes_max=read_count(env, "DPM_RESULT_BYTES_MAX", RESULT_BYTES_MAX_DEFAULT),
    )
