"""What the profile PRODUCTION demands, and in which order (HTTP contract 7.8)."""

import os

import pytest

from service.settings import process, production
from service.settings.process import SettingsInvalid, WorkerRequiresPostgres
from service.settings.production import ProfileViolation, faults_of

SECRET = "open-sesame"
DSN = f"postgresql://lotus:{SECRET}@db.invalid/lotus"
FIT = {
    "APP_PERSISTENCE_PROFILE": "PRODUCTION",
    "DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES",
    "DPM_SUPPORTABILITY_POSTGRES_DSN": DSN,
    "PROPOSAL_STORE_BACKEND": "POSTGRES",
    "PROPOSAL_POSTGRES_DSN": DSN,
    "DPM_POLICY_PACK_CATALOG_BACKEND": "POSTGRES",
    "DPM_POLICY_PACK_POSTGRES_DSN": DSN,
}
# The variable of each demand, in the order of the contract, with its code.
DEMANDED = {
    "DPM_SUPPORTABILITY_STORE_BACKEND": "PERSISTENCE_PROFILE_REQUIRES_DPM_POSTGRES",
    "DPM_SUPPORTABILITY_POSTGRES_DSN": "PERSISTENCE_PROFILE_REQUIRES_DPM_POSTGRES_DSN",
    "PROPOSAL_STORE_BACKEND": "PERSISTENCE_PROFILE_REQUIRES_ADVISORY_POSTGRES",
    "PROPOSAL_POSTGRES_DSN": "PERSISTENCE_PROFILE_REQUIRES_ADVISORY_POSTGRES_DSN",
    "DPM_POLICY_PACK_CATALOG_BACKEND": "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES",
    "DPM_POLICY_PACK_POSTGRES_DSN": "PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES_DSN",
}
OF_RUNS_AND_PROPOSALS = list(DEMANDED)[:4]
OF_PACKS = list(DEMANDED)[4:]
PACKS_ON = ("DPM_POLICY_PACKS_ENABLED", "DPM_POLICY_PACK_ADMIN_APIS_ENABLED")


@pytest.fixture
def given(monkeypatch):
    """Sets the environment, in place of whatever it says."""
    for name in list(os.environ):
        if name.startswith(("DPM_", "PROPOSAL_")) or name == "APP_PERSISTENCE_PROFILE":
            monkeypatch.delenv(name)

    def give(variables, **more):
        for name, value in (variables | more).items():
            monkeypatch.setenv(name, value)

    return give


def without(*names):
    return {name: value for name, value in FIT.items() if name not in names}


def codes():
    return [fault.code for fault in faults_of(process.read_given())]


@pytest.mark.parametrize("switch", PACKS_ON)
def test_what_meets_every_demand_is_read(given, switch):
    given(FIT, **{switch: "on"})

    assert production.read() == process.read()
    assert codes() == []


@pytest.mark.parametrize("switch", PACKS_ON)
@pytest.mark.parametrize("name", DEMANDED)
def test_each_demand_has_its_code_and_its_variable_and_tells_no_secret(given, name, switch):
    given(without(name), **{switch: "on"})

    with pytest.raises(ProfileViolation) as refused:
        production.read()

    assert refused.value.fault.code == DEMANDED[name]
    assert refused.value.fault.variable == name
    assert str(refused.value).startswith(f"{DEMANDED[name]}: {name} must ")
    assert SECRET not in str(refused.value)
    assert codes() == [DEMANDED[name]]


@pytest.mark.parametrize("kept", range(len(DEMANDED)))
def test_the_first_demand_that_is_not_met_is_refused_and_all_are_told_in_order(given, kept):
    met = list(DEMANDED)[:kept]
    given({name: value for name, value in FIT.items() if name in met}, APP_PERSISTENCE_PROFILE="production")
    given({"DPM_POLICY_PACKS_ENABLED": "true"})

    with pytest.raises(ProfileViolation) as refused:
        production.read()

    assert refused.value.fault.code == list(DEMANDED.values())[kept]
    assert codes() == list(DEMANDED.values())[kept:]


def test_without_packs_and_their_admin_endpoints_nothing_is_demanded_of_their_catalog(given):
    given(without(*OF_PACKS))

    assert production.read() == process.read()


def test_the_address_of_the_runs_does_not_stand_for_that_of_the_packs(given):
    given(without("DPM_POLICY_PACK_POSTGRES_DSN"), DPM_POLICY_PACKS_ENABLED="on")

    assert process.read().policy.postgres_dsn == DSN
    assert codes() == ["PERSISTENCE_PROFILE_REQUIRES_POLICY_PACK_POSTGRES_DSN"]


@pytest.mark.parametrize("name", ["DPM_SUPPORTABILITY_POSTGRES_DSN", "PROPOSAL_POSTGRES_DSN", OF_PACKS[1]])
def test_a_blank_address_is_none(given, name):
    given(FIT, DPM_POLICY_PACKS_ENABLED="on", **{name: "  "})

    assert codes() == [DEMANDED[name]]


@pytest.mark.parametrize("profile", ["LOCAL", "", "STAGING", "PRODUCTIVE"])
def test_any_other_profile_demands_nothing(given, profile):
    given({"APP_PERSISTENCE_PROFILE": profile, "DPM_POLICY_PACKS_ENABLED": "on"})

    assert production.read() == process.read()


def test_what_workers_need_is_said_after_what_production_demands(given):
    given(without(*OF_RUNS_AND_PROPOSALS), DPM_ASYNC_EXECUTION_MODE="WORKER")

    with pytest.raises(ProfileViolation):
        production.read()

    given({"APP_PERSISTENCE_PROFILE": "LOCAL"})
    with pytest.raises(WorkerRequiresPostgres):
        production.read()


def test_a_variable_that_cannot_be_used_is_refused_in_every_profile(given):
    given(FIT, PROPOSAL_POSTGRES_DSN=f"mysql://{SECRET}@db")

    with pytest.raises(SettingsInvalid, match=r"^invalid settings: PROPOSAL_POSTGRES_DSN$"):
        production.read()
