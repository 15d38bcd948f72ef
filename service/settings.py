"""Everything a process can be told from outside, read once at start."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from environs import Env, EnvError, EnvValidationError
from marshmallow import ValidationError

SQL_PATH_DEFAULT = Path(".data/dpm_supportability.db")
BODY_BYTES_MAX_DEFAULT = 8 * 1024 * 1024
IDEMPOTENCY_CACHE_SIZE_DEFAULT = 1000
STOP_SECONDS_MAX_DEFAULT = 20

_ON = frozenset({"1", "true", "yes", "on"})


class StoreBackend(Enum):
    """Where runs are kept; the value is the name shown to operations."""

    IN_MEMORY = "IN_MEMORY"
    SQL = "SQL"


class UnknownFields(Enum):
    IGNORE = "IGNORE"
    REJECT = "REJECT"


class LogLevel(Enum):
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class SettingsInvalid(Exception):
    """At least one variable cannot be used; the message names each, never a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for the life of a process; a restart applies a change (ruling 8)."""

    store_backend: StoreBackend
    sql_path: Path
    support_apis_enabled: bool
    idempotency_replay_enabled: bool
    idempotency_cache_size_max: int
    unknown_fields: UnknownFields
    body_bytes_max: int
    engine_processes: int
    stop_seconds_max: int
    log_level: LogLevel


def read() -> Settings:
    """Reads the environment. Raises SettingsInvalid with every fault at once.

    Variables of the HTTP contract (section 11) fall back where its table says so; our own refuse.
    """
    env = Env(eager=False)
    settings = Settings(
        store_backend=_store_backend(env),
        sql_path=_sql_path(env),
        support_apis_enabled=_flag(env, "DPM_SUPPORT_APIS_ENABLED", default=True),
        idempotency_replay_enabled=_flag(env, "DPM_IDEMPOTENCY_REPLAY_ENABLED", default=True),
        idempotency_cache_size_max=_count_or_default(
            env, "DPM_IDEMPOTENCY_CACHE_MAX_SIZE", IDEMPOTENCY_CACHE_SIZE_DEFAULT
        ),
        unknown_fields=_one_of(env, "DPM_UNKNOWN_FIELDS", UnknownFields.IGNORE),
        body_bytes_max=_count(env, "DPM_BODY_BYTES_MAX", BODY_BYTES_MAX_DEFAULT),
        engine_processes=_count(env, "DPM_ENGINE_PROCESSES", max(1, (os.cpu_count() or 1) - 1)),
        stop_seconds_max=_count(env, "DPM_STOP_SECONDS_MAX", STOP_SECONDS_MAX_DEFAULT),
        log_level=_one_of(env, "DPM_LOG_LEVEL", LogLevel.INFO),
    )
    try:
        env.seal()
    except EnvError as error:
        faults = error.error_messages if isinstance(error, EnvValidationError) else {}
        raise SettingsInvalid("invalid settings: " + ", ".join(sorted(faults))) from None
    return settings


def _text(env: Env, name: str, default: str = "") -> str:
    text: str = env.str(name, default)
    return text.strip()


def _flag(env: Env, name: str, *, default: bool) -> bool:
    # Any text that is not a yes is a no, the empty text included (contract section 11).
    return _text(env, name, "on" if default else "off").lower() in _ON


def _store_backend(env: Env) -> StoreBackend:
    name = _text(env, "DPM_SUPPORTABILITY_STORE_BACKEND").upper()
    if name in {"SQL", "SQLITE"}:
        return StoreBackend.SQL
    if name == "POSTGRES":
        # Falling back to memory here would lose what the operator believes is kept.
        env.str("DPM_SUPPORTABILITY_STORE_BACKEND", validate=_refuse)
    return StoreBackend.IN_MEMORY


def _refuse(_: str) -> None:
    raise ValidationError("not available in this version")


def _sql_path(env: Env) -> Path:
    older = _text(env, "DPM_SUPPORTABILITY_SQLITE_PATH")
    chosen = _text(env, "DPM_SUPPORTABILITY_SQL_PATH")
    return Path(chosen or older or SQL_PATH_DEFAULT)


def _count_or_default(env: Env, name: str, default: int) -> int:
    text = _text(env, name)
    return int(text) if text.isascii() and text.isdigit() and int(text) >= 1 else default


def _count(env: Env, name: str, default: int) -> int:
    found = env.int(name, default, validate=_at_least_one)
    return found if isinstance(found, int) else default


def _at_least_one(value: int) -> None:
    if value < 1:
        raise ValidationError("must be at least 1")


Choice = TypeVar("Choice", bound=Enum)


def _one_of(env: Env, name: str, default: Choice) -> Choice:
    found = env.enum(name, default, enum=type(default), by_value=True)
    return found if isinstance(found, type(default)) else default
