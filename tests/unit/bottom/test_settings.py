"""What the environment may say."""

from pathlib import Path

import pytest

from service.settings import ArtifactMode, SettingsInvalid, StoreBackend, UnknownFields, read


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith("DPM_"):
            monkeypatch.delenv(name)


def test_an_empty_environment_keeps_runs_in_memory():
    settings = read()

    assert settings.store_backend is StoreBackend.IN_MEMORY
    assert settings.sql_path == Path(".data/dpm_supportability.db")
    assert settings.support_apis_enabled and settings.idempotency_replay_enabled
    assert settings.body_bytes_max == 8 * 1024 * 1024
    assert settings.unknown_fields is UnknownFields.IGNORE


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("SQL", "SQL"),
        (" sqlite ", "SQL"),
        ("", "IN_MEMORY"),
        ("ORACLE", "IN_MEMORY"),
        ("in_memory", "IN_MEMORY"),
    ],
)
def test_backends_go_by_the_names_of_the_contract(monkeypatch, text, backend):
    monkeypatch.setenv("DPM_SUPPORTABILITY_STORE_BACKEND", text)

    assert read().store_backend is StoreBackend(backend)


@pytest.mark.parametrize(
    ("text", "on"),
    [("1", True), (" TRUE ", True), ("Yes", True), ("on", True), ("", False), ("maybe", False)],
)
def test_a_flag_is_on_only_when_it_says_so(monkeypatch, text, on):
    monkeypatch.setenv("DPM_SUPPORT_APIS_ENABLED", text)

    assert read().support_apis_enabled is on


def test_the_newer_path_variable_wins_over_the_older(monkeypatch):
    monkeypatch.setenv("DPM_SUPPORTABILITY_SQLITE_PATH", "older.db")
    assert read().sql_path == Path("older.db")

    monkeypatch.setenv("DPM_SUPPORTABILITY_SQL_PATH", "newer.db")
    assert read().sql_path == Path("newer.db")


@pytest.mark.parametrize(("text", "size"), [("5", 5), ("0", 1000), ("-1", 1000), ("x", 1000), ("²", 1000)])
def test_a_cache_size_that_is_none_falls_back(monkeypatch, text, size):
    monkeypatch.setenv("DPM_IDEMPOTENCY_CACHE_MAX_SIZE", text)

    assert read().idempotency_cache_size_max == size


def test_every_fault_is_named_at_once_and_no_value_is_shown(monkeypatch):
    wrong = {
        "DPM_BODY_BYTES_MAX": "0",
        "DPM_ENGINE_PROCESSES": "several",
        "DPM_LOG_LEVEL": "LOUD",
        "DPM_POSTGRES_CONNECTIONS_MAX": "0",
        "DPM_POSTGRES_STATEMENT_CACHE_SIZE": "-1",
        "DPM_PURGE_INTERVAL_SECONDS": "never",
        "DPM_UNKNOWN_FIELDS": "SOMETIMES",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid) as refused:
        read()

    assert all(name in str(refused.value) for name in wrong)
    assert not any(value in str(refused.value) for value in ("several", "LOUD", "never", "SOMETIMES"))


@pytest.mark.parametrize(
    ("name", "attribute", "text", "count"),
    [
        ("DPM_SUPPORTABILITY_RETENTION_DAYS", "retention_days", "30", 30),
        ("DPM_SUPPORTABILITY_RETENTION_DAYS", "retention_days", "0", 0),
        ("DPM_SUPPORTABILITY_RETENTION_DAYS", "retention_days", "-1", 0),
        ("DPM_SUPPORTABILITY_RETENTION_DAYS", "retention_days", "9" * 5000, 0),
        ("DPM_ASYNC_OPERATIONS_TTL_SECONDS", "operations_ttl_seconds", "60", 60),
        ("DPM_ASYNC_OPERATIONS_TTL_SECONDS", "operations_ttl_seconds", "0", 86_400),
    ],
)
def test_an_age_that_is_none_falls_back(monkeypatch, name, attribute, text, count):
    monkeypatch.setenv(name, text)

    assert getattr(read(), attribute) == count


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ("", {"PENDING_REVIEW"}),
        (" , ", {"PENDING_REVIEW"}),
        ("READY, BLOCKED", {"READY", "BLOCKED"}),
        ("ready,unknown", {"ready", "unknown"}),
    ],
)
def test_statuses_to_review_are_taken_as_they_are_written(monkeypatch, text, statuses):
    monkeypatch.setenv("DPM_WORKFLOW_REQUIRES_REVIEW_FOR_STATUSES", text)

    assert read().workflow_review_statuses == statuses


def test_addresses_of_databases_are_never_shown(monkeypatch):
    monkeypatch.setenv("DPM_SUPPORTABILITY_POSTGRES_DSN", "postgresql://us:secret@host/db")

    settings = read()

    assert settings.postgres_retention_dsn == settings.postgres_dsn == "postgresql://us:secret@host/db"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "mode"),
    [("persisted", ArtifactMode.PERSISTED), ("DERIVED", ArtifactMode.DERIVED), ("x", ArtifactMode.DERIVED)],
)
def test_an_unknown_artifact_mode_falls_back(monkeypatch, text, mode):
    monkeypatch.setenv("DPM_ARTIFACT_STORE_MODE", text)

    assert read().artifact_mode is mode
