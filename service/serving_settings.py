"""How a process serves: how much at a time, for how long, and what it tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass

from environs import Env

from service.setting_values import read_count, read_flag

REQUESTS_MAX_DEFAULT = 32
REQUEST_SECONDS_MAX_DEFAULT = 60
RECEIVE_TIMEOUT_SECONDS_DEFAULT = 20
QUEUE_SECONDS_MAX_DEFAULT = 5
DRAIN_SECONDS_DEFAULT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Seconds are whole. Without a port for the metrics nobody is told them; port 0 is a free one."""

    requests_max: int
    request_seconds_max: int
    receive_timeout_seconds: int
    queue_seconds_max: int
    # None: as many as the limit of open files allows.
    connections_max: int | None
    drain_seconds: int
    metrics_port: int | None
    telemetry_enabled: bool


def read(env: Env) -> ServingSettings:
    """Reads the variables of serving; faults are gathered in the environment that is handed in."""
    return ServingSettings(
        requests_max=read_count(env, "DPM_REQUESTS_MAX", REQUESTS_MAX_DEFAULT),
        request_seconds_max=read_count(env, "DPM_REQUEST_SECONDS_MAX", REQUEST_SECONDS_MAX_DEFAULT),
        receive_timeout_seconds=read_count(
            env, "DPM_RECEIVE_TIMEOUT_SECONDS", RECEIVE_TIMEOUT_SECONDS_DEFAULT
        ),
        queue_seconds_max=read_count(env, "DPM_QUEUE_SECONDS_MAX", QUEUE_SECONDS_MAX_DEFAULT),
        connections_max=read_count(env, "DPM_CONNECTIONS_MAX", 0, least=0) or None,
        drain_seconds=read_count(env, "DPM_DRAIN_SECONDS", DRAIN_SECONDS_DEFAULT, least=0),
        metrics_port=read_count(env, "DPM_METRICS_PORT", 0, least=0) or None,
        telemetry_enabled=read_flag(env, "DPM_OTEL_ENABLED", default=False),
    )
