"""A second store that repeats what the first has kept, so that the two can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from environs import Env

from service.settings.environment import StoreBackend, read_backend, read_count, read_dsn, read_text

SQL_PATH_DEFAULT = Path(".data/shadow.db")
ACTS_WAITING_MAX_DEFAULT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSettings:
    """No backend, no shadow."""

    store_backend: StoreBackend | None
    sql_path: Path
    # An address carries a password.
    postgres_dsn: str = field(repr=False)
    acts_waiting_max: int


def read(env: Env) -> ShadowSettings:
    """Reads the variables of the shadow; faults are gathered in the environment that is handed in."""
    named = read_text(env, "DPM_SUPPORTABILITY_SHADOW_BACKEND")
    return ShadowSettings(
        store_backend=read_backend(env, "DPM_SUPPORTABILITY_SHADOW_BACKEND") if named else None,
        sql_path=Path(read_text(env, "DPM_SUPPORTABILITY_SHADOW_SQL_PATH") or SQL_PATH_DEFAULT),
        postgres_dsn=read_dsn(env, "DPM_SUPPORTABILITY_SHADOW_POSTGRES_DSN"),
        acts_waiting_max=read_count(env, "DPM_SUPPORTABILITY_SHADOW_BACKLOG_MAX", ACTS_WAITING_MAX_DEFAULT),
    )
