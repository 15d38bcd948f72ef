"""What the environment may say about proposals."""

import os
from pathlib import Path

import pytest

from service.domains.proposals import rules as proposal_rules
from service.settings.environment import StoreBackend
from service.settings.process import SettingsInvalid, read
from service.settings.proposals import ApprovalBinding
from service.wiring.proposals import rules_of

FLAGS = [
    ("PROPOSAL_WORKFLOW_LIFECYCLE_ENABLED", "lifecycle_enabled", True),
    ("PROPOSAL_SUPPORT_APIS_ENABLED", "support_apis_enabled", True),
    ("PROPOSAL_ASYNC_OPERATIONS_ENABLED", "operations_enabled", True),
    ("PROPOSAL_STORE_EVIDENCE_BUNDLE", "evidence_kept", True),
    ("PROPOSAL_REQUIRE_EXPECTED_STATE", "expected_state_required", True),
    ("PROPOSAL_ALLOW_PORTFOLIO_CHANGE_ON_NEW_VERSION", "portfolio_may_change", False),
    ("PROPOSAL_REQUIRE_SIMULATION_FLAG", "simulation_flag_required", True),
    ("PROPOSAL_REFUSE_BLOCKED_VERSIONS", "blocked_refused", True),
    ("PROPOSAL_NEW_VERSION_RETURNS_TO_DRAFT", "new_version_to_draft", True),
    ("PROPOSAL_CHECK_RELATED_VERSION", "related_version_checked", True),
    ("PROPOSAL_APPROVAL_EVENTS_NEED_APPROVAL", "approvals_by_approval_only", True),
    ("PROPOSAL_FOUR_EYES", "four_eyes", False),
]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("DPM_", "PROPOSAL_")) or name == "APP_PERSISTENCE_PROFILE":
            monkeypatch.delenv(name)


def test_an_empty_environment_keeps_proposals_in_memory_beside_the_runs():
    settings = read()
    found = settings.proposals

    assert (found.store_backend, found.postgres_dsn) == (StoreBackend.IN_MEMORY, "")
    assert found.sql_path == Path(".data/proposals.db")
    assert found.simulation_kept_seconds == 86_400
    assert found.approval_binding is ApprovalBinding.EXISTING
    assert settings.proposals_beside_runs
    for _, attribute, default in FLAGS:
        assert getattr(found, attribute) is default, attribute


def test_the_defaults_are_those_of_the_rules():
    assert rules_of(read().proposals) == proposal_rules.ProposalRules()


@pytest.mark.parametrize(("name", "attribute", "default"), FLAGS)
def test_each_switch_moves_its_own_control_and_no_other(monkeypatch, name, attribute, default):
    monkeypatch.setenv(name, "off" if default else "yes")

    found = read().proposals

    assert {flag for _, flag, initial in FLAGS if getattr(found, flag) is not initial} == {attribute}


@pytest.mark.parametrize(
    ("text", "on"),
    [("1", True), (" TRUE ", True), ("Yes", True), ("on", True), ("", False), ("maybe", False)],
)
@pytest.mark.parametrize("name", ["PROPOSAL_STORE_EVIDENCE_BUNDLE", "PROPOSAL_FOUR_EYES"])
def test_a_switch_is_on_only_when_it_says_so(monkeypatch, name, text, on):
    monkeypatch.setenv(name, text)

    attribute = {flag: of for flag, of, _ in FLAGS}[name]
    assert getattr(read().proposals, attribute) is on


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("sql", "SQL"),
        (" SQLITE ", "SQL"),
        ("Postgres", "POSTGRES"),
        ("", "IN_MEMORY"),
        ("ORACLE", "IN_MEMORY"),
    ],
)
def test_an_unknown_backend_falls_back_to_memory(monkeypatch, text, backend):
    monkeypatch.setenv("PROPOSAL_STORE_BACKEND", text)

    assert read().proposals.store_backend is StoreBackend(backend)


def test_a_path_may_be_given_and_a_blank_one_is_none(monkeypatch):
    monkeypatch.setenv("PROPOSAL_SQL_PATH", " ")
    assert read().proposals.sql_path == Path(".data/proposals.db")

    monkeypatch.setenv("PROPOSAL_SQL_PATH", " elsewhere.db ")
    assert read().proposals.sql_path == Path("elsewhere.db")


def test_simulations_are_kept_for_a_day_or_longer(monkeypatch):
    for seconds in (86_400, 604_800):
        monkeypatch.setenv("PROPOSAL_SIMULATION_KEPT_SECONDS", str(seconds))
        assert read().proposals.simulation_kept_seconds == seconds


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROPOSAL_SIMULATION_KEPT_SECONDS", "86399"),
        ("PROPOSAL_SIMULATION_KEPT_SECONDS", "-5"),
        ("PROPOSAL_SIMULATION_KEPT_SECONDS", "aday"),
        ("PROPOSAL_POSTGRES_DSN", "mysql://us:secret@host/db"),
        ("PROPOSAL_POSTGRES_DSN", "host=db password=secret"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_and_never_shown(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("DPM_LOG_LEVEL", "LOUD")

    with pytest.raises(SettingsInvalid) as refused:
        read()

    assert str(refused.value) == f"invalid settings: DPM_LOG_LEVEL, {name}"


def test_the_address_of_the_database_is_never_shown(monkeypatch):
    monkeypatch.setenv("PROPOSAL_POSTGRES_DSN", " postgres://us:secret@host/db ")

    settings = read()

    assert settings.proposals.postgres_dsn == "postgres://us:secret@host/db"
    assert "secret" not in repr(settings) + repr(settings.proposals)


@pytest.mark.parametrize(
    ("profile", "strict"),
    [("PRODUCTION", True), (" production ", True), ("LOCAL", False), ("", False), ("STAGING", False)],
)
def test_production_binds_approvals_and_asks_for_four_eyes(monkeypatch, profile, strict):
    monkeypatch.setenv("APP_PERSISTENCE_PROFILE", profile)

    found = read().proposals

    assert found.four_eyes is strict
    assert found.approval_binding is (ApprovalBinding.CURRENT if strict else ApprovalBinding.EXISTING)
    for _, attribute, default in FLAGS:
        if attribute != "four_eyes":
            assert getattr(found, attribute) is default, attribute


def test_what_is_said_counts_more_than_the_profile(monkeypatch):
    monkeypatch.setenv("APP_PERSISTENCE_PROFILE", "PRODUCTION")
    monkeypatch.setenv("PROPOSAL_FOUR_EYES", "off")
    monkeypatch.setenv("PROPOSAL_APPROVAL_BINDING", "existing")

    rules = rules_of(read().proposals)

    assert not rules.four_eyes
    assert rules.approval_binding is proposal_rules.ApprovalBinding.EXISTING


@pytest.mark.parametrize(
    ("text", "binding"),
    [(" current ", "CURRENT"), ("EXISTING", "EXISTING"), ("", "EXISTING"), ("ANY", "EXISTING")],
)
def test_an_unknown_binding_falls_back(monkeypatch, text, binding):
    monkeypatch.setenv("PROPOSAL_APPROVAL_BINDING", text)

    assert read().proposals.approval_binding is ApprovalBinding(binding)
    assert rules_of(read().proposals).approval_binding is proposal_rules.ApprovalBinding(binding)


HERE, ELSEWHERE = "postgresql://us@here/db", "postgresql://us@elsewhere/db"


@pytest.mark.parametrize(
    ("runs", "proposals", "beside"),
    [
        (("IN_MEMORY", "", ""), ("IN_MEMORY", "", ""), True),
        (("IN_MEMORY", "", ""), ("SQL", "", ""), False),
        (("SQL", "", ""), ("SQL", "", ""), False),
        (("SQL", "one.db", ""), ("SQL", "one.db", ""), True),
        (("SQL", "one.db", HERE), ("POSTGRES", "one.db", HERE), False),
        (("POSTGRES", "", HERE), ("POSTGRES", "", HERE), True),
        (("POSTGRES", "", HERE), ("POSTGRES", "", ELSEWHERE), False),
        (("POSTGRES", "one.db", HERE), ("IN_MEMORY", "one.db", HERE), False),
    ],
)
def test_proposals_are_beside_the_runs_when_both_name_one_place(monkeypatch, runs, proposals, beside):
    for prefix, (backend, path, dsn) in (("DPM_SUPPORTABILITY", runs), ("PROPOSAL", proposals)):
        monkeypatch.setenv(f"{prefix}_STORE_BACKEND", backend)
        monkeypatch.setenv(f"{prefix}_SQL_PATH", path)
        monkeypatch.setenv(f"{prefix}_POSTGRES_DSN", dsn)

    assert read().proposals_beside_runs is beside
