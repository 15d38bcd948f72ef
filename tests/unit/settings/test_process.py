"""What the environment may say."""

from pathlib import Path

import pytest

from service.settings.engines import EngineSettings
from service.settings.environment import StoreBackend
from service.settings.process import (
    ArtifactMode,
    ExecutionMode,
    SettingsInvalid,
    UnknownFields,
    WorkerRequiresPostgres,
    read,
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith(("DPM_", "PROPOSAL_")) or name == "APP_PERSISTENCE_PROFILE":
            monkeypatch.delenv(name)


def test_an_empty_environment_keeps_runs_in_memory():
    settings = read()

    assert settings.store_backend is StoreBackend.IN_MEMORY
    assert settings.sql_path == Path(".data/dpm_supportability.db")
    assert settings.support_apis_enabled and settings.idempotency_replay_enabled
    assert settings.body_bytes_max == 8 * 1024 * 1024
    assert settings.unknown_fields is UnknownFields.IGNORE


def test_no_page_may_call_unless_its_origin_is_named(monkeypatch):
    assert read().serving.cors_origins == () and not read().serving.cors_credentials

    monkeypatch.setenv(
        "DPM_CORS_ORIGINS", " https://Desk.example ,http://localhost:3000,,https://[::1]:8443,"
    )

    assert read().serving.cors_origins == (
        "https://desk.example",
        "http://localhost:3000",
        "https://[::1]:8443",
    )


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "null",
        "desk.example",
        "https://desk.example/",
        "https://*.example",
        "ftp://a",
        "https://a b",
        "https://",
    ],
)
def test_what_is_no_origin_is_refused(monkeypatch, origins):
    monkeypatch.setenv("DPM_CORS_ORIGINS", f"https://desk.example,{origins}")

    with pytest.raises(SettingsInvalid, match="DPM_CORS_ORIGINS"):
        read()


def test_a_head_has_a_bound_that_lets_any_ordinary_one_through(monkeypatch):
    assert read().serving.head_bytes_max == 32 * 1024

    monkeypatch.setenv("DPM_HEAD_BYTES_MAX", "1000")

    with pytest.raises(SettingsInvalid, match="DPM_HEAD_BYTES_MAX"):
        read()


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
        "DPM_ASYNC_LEASE_SECONDS": "0",
        "DPM_ASYNC_MAX_ATTEMPTS": "0",
        "DPM_ASYNC_OPERATION_SECONDS_MAX": "0",
        "DPM_BODY_BYTES_MAX": "0",
        "DPM_ENGINE_MEMORY_BYTES_MAX": "1",
        "DPM_ENGINE_PROCESSES": "several",
        "DPM_ENGINE_SECONDS_MAX": "0",
        "DPM_LOG_LEVEL": "LOUD",
        "DPM_POSTGRES_CONNECTIONS_MAX": "0",
        "DPM_POSTGRES_STATEMENT_CACHE_SIZE": "-1",
        "DPM_PURGE_INTERVAL_SECONDS": "never",
        "DPM_MEMORY_RUNS_MAX": "0",
        "DPM_RESULT_BYTES_MAX": "0",
        "DPM_SUPPORTABILITY_POSTGRES_DIRECT_DSN": "mysql://u:p@h/d",
        "DPM_UNKNOWN_FIELDS": "SOMETIMES",
        "DPM_WORKER_CONCURRENCY": "1",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid) as refused:
        read()

    assert all(name in str(refused.value) for name in wrong)
    assert not any(
        value in str(refused.value) for value in ("several", "LOUD", "never", "SOMETIMES", "mysql")
    )


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


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (" accept_only ", ExecutionMode.ACCEPT_ONLY),
        ("inline", ExecutionMode.INLINE),
        ("", ExecutionMode.INLINE),
        ("LATER", ExecutionMode.INLINE),
        ("Worker", ExecutionMode.WORKER),
    ],
)
def test_an_unknown_execution_mode_falls_back(monkeypatch, text, mode):
    monkeypatch.setenv("DPM_SUPPORTABILITY_STORE_BACKEND", "POSTGRES")
    monkeypatch.setenv("DPM_ASYNC_EXECUTION_MODE", text)

    assert read().execution_mode is mode


@pytest.mark.parametrize("backend", ["IN_MEMORY", "SQL"])
def test_workers_are_refused_without_the_store_that_wakes_them(monkeypatch, backend):
    monkeypatch.setenv("DPM_SUPPORTABILITY_STORE_BACKEND", backend)
    with pytest.raises(WorkerRequiresPostgres):
        read().require_workable()

    monkeypatch.setenv("DPM_ASYNC_EXECUTION_MODE", "WORKER")
    with pytest.raises(SettingsInvalid) as refused:
        read()

    assert str(refused.value).startswith("DPM_ASYNC_WORKER_REQUIRES_POSTGRES")


def test_operations_are_held_and_tried_as_long_as_nothing_else_is_said():
    settings = read()

    assert settings.execution_mode is ExecutionMode.INLINE
    assert settings.async_operations_enabled and settings.manual_execution_enabled
    assert (settings.attempts_max, settings.lease_seconds, settings.recovery_seconds) == (3, 8, 2.0)
    assert settings.operation_seconds_max == 3600


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("DPM_ASYNC_OPERATIONS_ENABLED", "async_operations_enabled"),
        ("DPM_ASYNC_MANUAL_EXECUTION_ENABLED", "manual_execution_enabled"),
    ],
)
def test_operations_and_their_execution_can_be_switched_off(monkeypatch, name, attribute):
    monkeypatch.setenv(name, "")

    assert getattr(read(), attribute) is False


def test_engine_work_and_its_results_are_bounded(monkeypatch):
    assert read().engines == EngineSettings(
        seconds_max=20, memory_bytes_max=1024 * 1024 * 1024, result_bytes_max=32 * 1024 * 1024
    )

    monkeypatch.setenv("DPM_ENGINE_SECONDS_MAX", "1")
    monkeypatch.setenv("DPM_ENGINE_MEMORY_BYTES_MAX", "16777216")
    monkeypatch.setenv("DPM_RESULT_BYTES_MAX", "4096")
    assert read().engines == EngineSettings(seconds_max=1, memory_bytes_max=16_777_216, result_bytes_max=4096)


@pytest.mark.parametrize(("processes", "concurrency"), [("1", 2), ("2", 3), ("7", 8)])
def test_a_worker_takes_one_operation_more_than_it_has_processes(monkeypatch, processes, concurrency):
    monkeypatch.setenv("DPM_ENGINE_PROCESSES", processes)
    assert read().worker_concurrency == concurrency

    monkeypatch.setenv("DPM_WORKER_CONCURRENCY", "20")
    assert read().worker_concurrency == 20


def test_the_direct_address_is_the_one_that_serves_unless_it_is_given(monkeypatch):
    monkeypatch.setenv("DPM_SUPPORTABILITY_POSTGRES_DSN", "postgresql://pooler/db")
    assert read().postgres_direct_dsn == "postgresql://pooler/db"

    monkeypatch.setenv("DPM_SUPPORTABILITY_POSTGRES_DIRECT_DSN", " postgres://us:secret@host/db ")
    settings = read()

    assert settings.postgres_direct_dsn == "postgres://us:secret@host/db"
    assert "secret" not in repr(settings)
