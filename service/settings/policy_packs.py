"""What concerns policy packs: whether there are any, where their catalog is, and which one is meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from environs import Env

from service.settings.environment import read_count, read_dsn, read_flag, read_known_or_default, read_text

CATALOG_SECONDS_DEFAULT = 1


class CatalogBackend(Enum):
    """Where the catalog is; the text of ENV_JSON is amended by what was changed since, in the runs' store."""

    ENV_JSON = "ENV_JSON"
    SQL = "SQL"
    POSTGRES = "POSTGRES"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    enabled: bool
    admin_apis_enabled: bool
    # A selected pack that does not exist is refused; else it overrides nothing.
    strict: bool
    default_pack_id: str
    tenant_resolution_enabled: bool
    tenant_map_json: str
    catalog_backend: CatalogBackend
    catalog_json: str
    sql_path: Path
    # An address carries a password.
    postgres_dsn: str = field(repr=False)
    # Whether the variable of the address itself says something; the address may be that of the runs.
    postgres_dsn_given: bool
    catalog_seconds: int


def read(env: Env, *, sql_path: Path, postgres_dsn: str) -> PolicySettings:
    """Reads the variables of policy packs; the catalog is beside the runs unless another place is given."""
    # Set but blank is an address that is missing, not one left to the default (contract section 11).
    given = env.str("DPM_POLICY_PACK_POSTGRES_DSN", None)
    own_dsn = read_dsn(env, "DPM_POLICY_PACK_POSTGRES_DSN")
    backend = read_known_or_default(env, "DPM_POLICY_PACK_CATALOG_BACKEND", CatalogBackend.ENV_JSON)
    if read_text(env, "DPM_POLICY_PACK_CATALOG_BACKEND").upper() == "SQLITE":
        backend = CatalogBackend.SQL
    return PolicySettings(
        enabled=read_flag(env, "DPM_POLICY_PACKS_ENABLED", default=False),
        admin_apis_enabled=read_flag(env, "DPM_POLICY_PACK_ADMIN_APIS_ENABLED", default=False),
        strict=read_flag(env, "DPM_POLICY_PACK_STRICT", default=False),
        default_pack_id=read_text(env, "DPM_DEFAULT_POLICY_PACK_ID"),
        tenant_resolution_enabled=read_flag(env, "DPM_TENANT_POLICY_PACK_RESOLUTION_ENABLED", default=False),
        tenant_map_json=read_text(env, "DPM_TENANT_POLICY_PACK_MAP_JSON"),
        catalog_backend=backend,
        catalog_json=read_text(env, "DPM_POLICY_PACK_CATALOG_JSON"),
        sql_path=Path(read_text(env, "DPM_POLICY_PACK_SQL_PATH") or sql_path),
        postgres_dsn=postgres_dsn if given is None else own_dsn,
        postgres_dsn_given=bool(own_dsn),
        catalog_seconds=read_count(env, "DPM_POLICY_PACK_CATALOG_SECONDS", CATALOG_SECONDS_DEFAULT, least=0),
    )
