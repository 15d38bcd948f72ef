"""What the compose file starts, as far as it can be told without starting it."""

import os
import re

import click
import pytest
import yaml

from service.cli.commands import main
from service.setting_values import StoreBackend
from service.settings import ExecutionMode, read
from tests.conftest import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
OURS = ("migrate", "server", "worker")

SETTINGS = "".join(
    (ROOT / "service" / name).read_text(encoding="utf-8") for name in ("settings.py", "proposal_settings.py")
)
VARIABLE = re.compile(r"\$\{(\w+):-(\w+)\}")
SECRET = re.compile(r"://\w+:(.*?)@")


def services_of(profile):
    return {name for name, service in SERVICES.items() if profile in service["profiles"]}


def with_defaults(text):
    return VARIABLE.sub(lambda found: found[2], text)


def test_a_profile_starts_what_belongs_together():
    assert services_of("fleet") == {"postgres", *OURS}
    assert services_of("test") == {"postgres-test"}
    assert set().union(*(service["profiles"] for service in SERVICES.values())) == {"fleet", "test"}


def test_the_database_is_kept_and_migrated_before_anybody_uses_it():
    postgres = SERVICES["postgres"]

    assert postgres["healthcheck"]["test"]
    assert [mount.partition(":")[0] for mount in postgres["volumes"]] == list(COMPOSE["volumes"])
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("server", "worker"):
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_two_workers_are_started():
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_there_is(name):
    *words, last = SERVICES[name]["command"]
    command = main
    for word in [*words, last]:
        if not isinstance(command, click.Group):
            break
        command = command.commands[word]

    assert not isinstance(command, click.Group)
    if name != "migrate":
        with command.make_context(name, SERVICES[name]["command"][1:]) as parsed:
            assert parsed.params["host"] == "0.0.0.0"


def test_a_worker_is_asked_for_its_health_where_it_answers():
    port = SERVICES["worker"]["command"][-1]

    assert f":{port}/health/ready" in SERVICES["worker"]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", OURS)
def test_what_is_set_is_read_and_gives_a_fleet(name, monkeypatch):
    for variable in [variable for variable in os.environ if variable.startswith(("DPM_", "PROPOSAL_"))]:
        monkeypatch.delenv(variable)
    environment = SERVICES[name]["environment"]
    assert not [variable for variable in environment if f'"{variable}"' not in SETTINGS]
    for variable, text in environment.items():
        monkeypatch.setenv(variable, with_defaults(text))

    settings = read()

    assert settings.store_backend is StoreBackend.POSTGRES
    assert settings.execution_mode is ExecutionMode.WORKER
    assert settings.postgres_dsn == "postgresql://postgres:lotus@postgres:5432/lotus"
    assert settings.proposals_beside_runs
    if name != "migrate":
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > settings.stop_seconds_max


def test_passwords_come_from_outside():
    password = "${LOTUS_POSTGRES_PASSWORD:-lotus}"

    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"] == password
    for name in OURS:
        dsn = SERVICES[name]["environment"]["DPM_SUPPORTABILITY_POSTGRES_DSN"]
        assert SECRET.search(dsn)[1] == password
