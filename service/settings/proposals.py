"""What concerns proposals; the switches restore what the existing service does, for clients that need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from environs import Env

from service.settings.environment import (
    StoreBackend,
    read_backend,
    read_count,
    read_dsn,
    read_flag,
    read_known_or_default,
    read_text,
)

SQL_PATH_DEFAULT = Path(".data/proposals.db")
# Keys of simulations stay usable for a day at least.
SIMULATION_SECONDS_MIN = 86_400


class Profile(Enum):
    """PRODUCTION turns on what a bank cannot do without."""

    LOCAL = "LOCAL"
    PRODUCTION = "PRODUCTION"


class ApprovalBinding(Enum):
    """Whether an approval may name any version there is, or only the current one (ruling 11)."""

    EXISTING = "EXISTING"
    CURRENT = "CURRENT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSettings:
    store_backend: StoreBackend
    sql_path: Path
    # An address carries a password.
    postgres_dsn: str = field(repr=False)
    postgres_retention_dsn: str = field(repr=False)
    simulation_kept_seconds: int
    lifecycle_enabled: bool
    support_apis_enabled: bool
    operations_enabled: bool
    evidence_kept: bool
    expected_state_required: bool
    portfolio_may_change: bool
    simulation_flag_required: bool
    blocked_refused: bool
    new_version_to_draft: bool
    related_version_checked: bool
    approvals_by_approval_only: bool
    approval_binding: ApprovalBinding
    four_eyes: bool


def read(env: Env) -> ProposalSettings:
    """Reads the variables of proposals; faults are gathered in the environment that is handed in."""
    strict = read_known_or_default(env, "APP_PERSISTENCE_PROFILE", Profile.LOCAL) is Profile.PRODUCTION
    dsn = read_dsn(env, "PROPOSAL_POSTGRES_DSN")
    return ProposalSettings(
        store_backend=read_backend(env, "PROPOSAL_STORE_BACKEND"),
        sql_path=Path(read_text(env, "PROPOSAL_SQL_PATH") or SQL_PATH_DEFAULT),
        postgres_dsn=dsn,
        postgres_retention_dsn=read_dsn(env, "PROPOSAL_RETENTION_POSTGRES_DSN") or dsn,
        simulation_kept_seconds=read_count(
            env, "PROPOSAL_SIMULATION_KEPT_SECONDS", SIMULATION_SECONDS_MIN, least=SIMULATION_SECONDS_MIN
        ),
        lifecycle_enabled=read_flag(env, "PROPOSAL_WORKFLOW_LIFECYCLE_ENABLED", default=True),
        support_apis_enabled=read_flag(env, "PROPOSAL_SUPPORT_APIS_ENABLED", default=True),
        operations_enabled=read_flag(env, "PROPOSAL_ASYNC_OPERATIONS_ENABLED", default=True),
        evidence_kept=read_flag(env, "PROPOSAL_STORE_EVIDENCE_BUNDLE", default=True),
        expected_state_required=read_flag(env, "PROPOSAL_REQUIRE_EXPECTED_STATE", default=True),
        portfolio_may_change=read_flag(env, "PROPOSAL_ALLOW_PORTFOLIO_CHANGE_ON_NEW_VERSION", default=False),
        simulation_flag_required=read_flag(env, "PROPOSAL_REQUIRE_SIMULATION_FLAG", default=True),
        blocked_refused=read_flag(env, "PROPOSAL_REFUSE_BLOCKED_VERSIONS", default=True),
        new_version_to_draft=read_flag(env, "PROPOSAL_NEW_VERSION_RETURNS_TO_DRAFT", default=True),
        related_version_checked=read_flag(env, "PROPOSAL_CHECK_RELATED_VERSION", default=True),
        approvals_by_approval_only=read_flag(env, "PROPOSAL_APPROVAL_EVENTS_NEED_APPROVAL", default=True),
        approval_binding=read_known_or_default(
            env,
            "PROPOSAL_APPROVAL_BINDING",
            ApprovalBinding.CURRENT if strict else ApprovalBinding.EXISTING,
        ),
        four_eyes=read_flag(env, "PROPOSAL_FOUR_EYES", default=strict),
    )
