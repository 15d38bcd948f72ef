"""How a process serves: how much at a time, for how long, and what it tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass

from environs import Env

from service.settings.environment import read_count, read_flag, read_origins

REQUESTS_MAX_DEFAULT = 32
REQUEST_SECONDS_MAX_DEFAULT = 60
RECEIVE_TIMEOUT_SECONDS_DEFAULT = 20
QUEUE_SECONDS_MAX_DEFAULT = 5
DRAIN_SECONDS_DEFAULT = 0
# Room for the cookies that a portal sets on all its services.
HEAD_BYTES_MAX_DEFAULT = 32 * 1024
HEAD_BYTES_LEAST = 8 * 1024
# What the HTTP contract lets in, and what a row of an index holds of four bytes each.
ID_LENGTH_MAX_DEFAULT = 200
ID_LENGTH_MAX_LIMIT = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Seconds are whole. Without a port the metrics are not served; port 0 is a free one."""

    requests_max: int
    request_seconds_max: int
    receive_timeout_seconds: int
    queue_seconds_max: int
    # None: as many as the limit of open files allows.
    connections_max: int | None
    drain_seconds: int
    metrics_port: int | None
    telemetry_enabled: bool
    # The sites whose pages may call the API; with credentials, such a page may send cookies along.
    cors_origins: tuple[str, ...]
    cors_credentials: bool
    head_bytes_max: int
    id_length_max: int


def read(env: Env) -> ServingSettings:
    """Reads the variables of serving; faults are gathered in the environment that is handed in."""
    return ServingSettings(
        requests_max=read_count(env, "DPM_CONCURRENT_REQUESTS_MAX", REQUESTS_MAX_DEFAULT),
        request_seconds_max=read_count(env, "DPM_REQUEST_TIMEOUT_SECONDS", REQUEST_SECONDS_MAX_DEFAULT),
        receive_timeout_seconds=read_count(
            env, "DPM_RECEIVE_TIMEOUT_SECONDS", RECEIVE_TIMEOUT_SECONDS_DEFAULT
        ),
        queue_seconds_max=read_count(env, "DPM_QUEUE_SECONDS_MAX", QUEUE_SECONDS_MAX_DEFAULT),
        connections_max=read_count(env, "DPM_CONNECTIONS_MAX", 0, least=0) or None,
        drain_seconds=read_count(env, "DPM_DRAIN_SECONDS", DRAIN_SECONDS_DEFAULT, least=0),
        metrics_port=read_count(env, "DPM_METRICS_PORT", 0, least=0) or None,
        telemetry_enabled=read_flag(env, "DPM_OTEL_ENABLED", default=False),
        cors_origins=read_origins(env, "DPM_CORS_ORIGINS"),
        cors_credentials=read_flag(env, "DPM_CORS_CREDENTIALS", default=False),
        head_bytes_max=read_count(env, "DPM_HEAD_BYTES_MAX", HEAD_BYTES_MAX_DEFAULT, least=HEAD_BYTES_LEAST),
        # Less than the default would refuse ids that every client may send.
        id_length_max=read_count(
            env,
            "DPM_ID_LENGTH_MAX",
            ID_LENGTH_MAX_DEFAULT,
            least=ID_LENGTH_MAX_DEFAULT,
            most=ID_LENGTH_MAX_LIMIT,
        ),
    )
