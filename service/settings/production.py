"""What the profile PRODUCTION demands of the settings, before anything is opened (HTTP contract 7.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.settings import process
from service.settings.environment import StoreBackend
from service.settings.policy_packs import CatalogBackend
from service.settings.process import ExecutionMode, Settings, SettingsInvalid
from service.settings.proposals import Profile


@dataclass(frozen=True, slots=True)
class Fault:
    """A demand that is not met: its stable code, the variable to set, what that must say; never a value."""

    code: str
    variable: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class ProfileViolation(SettingsInvalid):
    """The settings are not those of a production process; the message is the first demand that is not met."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Requirement:
    code: str
    variable: str
    text: str
    is_met: Callable[[Settings], bool]


def uses_catalog(chosen: Settings) -> bool:
    """Whether the catalog of policy packs is used, to read or to write."""
    return chosen.policy.enabled or chosen.policy.admin_apis_enabled


WITH_PACKS = "where policy packs or their admin endpoints are on"

# In the order of the contract.
DEMANDS = (
    Requirement(
        "PERSISTENCE_PROFILE_REQUIRES_DPM_POSTGRES",
        "DPM_SUPPORTABILITY_STORE_BACKEND",
        "must be POSTGRES",
        lambda chosen: chosen.store_backend is StoreBackend.POSTGRES,
    ),
    Requirement(
        "PERSISTENCE_PROFILE_REQUIRES_DPM_POSTGRES_DSN",
        "DPM_SUPPORTABILITY_POSTGRES_DSN",
        "must be set",
        lambda chosen: bool(chosen.postgres_dsn),
    ),
    Requirement(
        "PERSISTENCE_PROFILE_REQUIRES_ADVISORY_POSTGRES",
        "PROPOSAL_STORE_BACKEND",
        "must be POSTGRES",
        lambda chosen: chosen.proposals.store_backend is StoreBackend.POSTGRES,
    ),
    Requirement(
        "PERSISTENCE_PROFILE_REQUIRES_ADVISORY_POSTGRES_DSN",
        "PROPOSAL_POSTGRES_DSN",
        "must be set",
        lambda chosen: bool(chosen.proposals.postgres_dsn),
    ),
    Requirement(
        "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES",
        "DPM_POLICY_PACK_CATALOG_BACKEND",
        f"must be POSTGRES {WITH_PACKS}",
        lambda chosen: not uses_catalog(chosen) or chosen.policy.catalog_backend is CatalogBackend.POSTGRES,
    ),
    Requirement(
        "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES_DSN",
        "DPM_POLICY_PACK_POSTGRES_DSN",
        # The address that is used without it, that of the runs, does not count.
        f"must itself be set {WITH_PACKS}",
        lambda chosen: not uses_catalog(chosen) or chosen.policy.postgres_dsn_given,
    ),
)


def faults_of(chosen: Settings) -> tuple[Fault, ...]:
    """Every demand that the settings do not meet, in the contract's order, whatever their profile is."""
    return tuple(
        Fault(demand.code, demand.variable, f"{demand.variable} {demand.text}")
        for demand in DEMANDS
        if not demand.is_met(chosen)
    )


def read() -> Settings:
    """The settings of a process that opens stores to write. Raises SettingsInvalid.

    Where the profile is PRODUCTION, the first demand that is not met is refused; the demands come before
    what workers need.
    """
    chosen = process.read_given()
    if chosen.profile is Profile.PRODUCTION and (faults := faults_of(chosen)):
        raise ProfileViolation(faults[0])
    if chosen.execution_mode is ExecutionMode.WORKER:
        chosen.require_workable()
    return chosen
