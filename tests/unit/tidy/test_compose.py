"""What the compose files start, as far as it can be told without starting it."""

import os
import re
import shutil
import subprocess
from itertools import pairwise

import click
import pytest
import yaml

from scripts.harness.servers import OURS
from service.cli.commands import main
from service.settings import production
from service.settings.environment import StoreBackend
from service.settings.process import ExecutionMode
from service.settings.proposals import Profile
from tests.composing import BASE, PRODUCTION, VARIABLE, VariableMissing, composed, environment_of
from tests.conftest import ROOT

LOCAL = composed(BASE)["services"]
STRICT = composed(BASE, PRODUCTION)["services"]

DATABASES = {"postgres"}
PREPARING = {"logins", "migrate", "roles"}
SERVING = {"server", "fleet-server", "worker"}
STRICTLY_SERVING = {"fleet-server", "worker"}
EACH = [pytest.param(LOCAL[name], id=f"local {name}") for name in sorted({"migrate", *SERVING})] + [
    pytest.param(STRICT[name], id=f"production {name}") for name in sorted({"migrate", *STRICTLY_SERVING})
]

SETTINGS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "service" / "settings").glob("*.py"))
SECRET = re.compile(r"://\w+:(.*?)@")
PASSWORDS = [
    f"LOTUS_{who}_PASSWORD" for who in ("POSTGRES", "MIGRATOR", "APPLICATION", "WORKER", "RETENTION")
]
GIVEN = {name: name.lower() for name in PASSWORDS}


def services_of(services, profile):
    return {name for name, service in services.items() if profile in service["profiles"]}


def seconds(text):
    return int(text.removesuffix("s"))


@pytest.fixture
def settings_of(monkeypatch):
    """Reads the settings as a process of the service does."""

    def read(service, given=GIVEN):
        for variable in [variable for variable in os.environ if variable.startswith(OURS)]:
            monkeypatch.delenv(variable)
        for variable, text in environment_of(service, given).items():
            monkeypatch.setenv(variable, text)
        return production.read()

    return read


def test_a_profile_starts_what_belongs_together():
    assert services_of(LOCAL, "postgres") == {"postgres", "migrate", "server"}
    assert services_of(LOCAL, "fleet") == {"postgres", "migrate", "fleet-server", "worker"}
    assert services_of(LOCAL, "test") == {"postgres-test"}
    assert set().union(*(service["profiles"] for service in LOCAL.values())) == {"postgres", "fleet", "test"}
    assert services_of(STRICT, "fleet") == DATABASES | PREPARING | STRICTLY_SERVING


def test_a_production_desk_reviews_and_can_be_audited(settings_of):
    for name in STRICTLY_SERVING:
        settings = settings_of(STRICT[name])
        assert settings.workflow_enabled and settings.lineage_apis_enabled and settings.history_apis_enabled


def test_the_database_is_kept_and_migrated_before_anybody_uses_it():
    postgres = LOCAL["postgres"]

    assert postgres["image"] == "postgres:17.6"
    assert postgres["healthcheck"]["test"]
    assert [mount.partition(":")[0] for mount in postgres["volumes"]] == list(composed(BASE)["volumes"])
    assert LOCAL["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in SERVING:
        assert LOCAL[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_in_production_logins_come_before_migrations_and_roles_after_them():
    done = {"condition": "service_completed_successfully"}

    assert STRICT["logins"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert STRICT["migrate"]["depends_on"]["logins"] == done
    assert STRICT["roles"]["depends_on"] == {"migrate": done}
    for name in STRICTLY_SERVING:
        assert STRICT[name]["depends_on"]["roles"] == done


def test_two_workers_are_started():
    assert LOCAL["worker"]["deploy"]["replicas"] == STRICT["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("service", EACH)
def test_each_command_is_one_there_is(service):
    words, command, path = list(service["command"]), main, []
    while isinstance(command, click.Group):
        path.append(words.pop(0))
        command = command.commands[path[-1]]

    with command.make_context(path[-1], words) as parsed:
        assert parsed.params.get("host", "0.0.0.0") == "0.0.0.0"


def test_a_worker_is_asked_for_its_health_where_it_answers():
    port = LOCAL["worker"]["command"][-1]

    assert f":{port}/health/ready" in LOCAL["worker"]["healthcheck"]["test"][-1]
    assert STRICT["worker"]["expose"] == [port]


@pytest.mark.parametrize("service", EACH)
def test_what_is_set_is_read(service):
    assert not [variable for variable in service["environment"] if f'"{variable}"' not in SETTINGS]


def test_locally_everything_is_in_one_database_and_nothing_has_to_be_given(settings_of):
    for name in ("migrate", *SERVING):
        settings = settings_of(LOCAL[name], given={})

        assert settings.store_backend is StoreBackend.POSTGRES
        assert settings.postgres_dsn == "postgresql://postgres:lotus@postgres:5432/lotus"
        assert settings.proposals_beside_runs


def test_who_does_operations_is_who_is_started(settings_of):
    assert settings_of(LOCAL["server"]).execution_mode is ExecutionMode.INLINE
    for services in (LOCAL, STRICT):
        for name in ("fleet-server", "worker"):
            assert settings_of(services[name]).execution_mode is ExecutionMode.WORKER


def test_production_meets_every_demand_with_a_login_for_each_duty(settings_of):
    server, worker = settings_of(STRICT["fleet-server"]), settings_of(STRICT["worker"])

    for settings in (server, worker):
        assert settings.profile is Profile.PRODUCTION
        assert settings.policy.enabled
        assert production.faults_of(settings) == ()
        assert settings.proposals_beside_runs
        assert settings.policies_beside_runs
    assert "//lotus_application:" in server.postgres_dsn
    assert "//lotus_retention:" in server.postgres_retention_dsn
    assert "//lotus_worker:" in worker.postgres_dsn
    assert "//lotus_migrator:" in environment_of(STRICT["migrate"], GIVEN)["PROPOSAL_POSTGRES_DSN"]


@pytest.mark.parametrize("services", [LOCAL, STRICT], ids=["local", "production"])
def test_nobody_is_killed_who_is_about_to_finish(services, settings_of):
    for name in STRICTLY_SERVING:
        settings = settings_of(services[name])
        drain = max(settings.serving.drain_seconds, int(image_sets()["DPM_DRAIN_SECONDS"]))

        assert seconds(services[name]["stop_grace_period"]) > drain + settings.stop_seconds_max


def image_sets():
    """What the image says of variables of ours."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"\b((?:DPM|PROPOSAL)_\w+)=(\S+)", dockerfile))


def test_local_passwords_come_from_outside():
    password = "${LOTUS_POSTGRES_PASSWORD:-lotus}"

    assert LOCAL["postgres"]["environment"]["POSTGRES_PASSWORD"] == password
    for name in ("migrate", *SERVING):
        dsn = LOCAL[name]["environment"]["DPM_SUPPORTABILITY_POSTGRES_DSN"]
        assert SECRET.search(dsn)[1] == password


@pytest.mark.parametrize("missing", PASSWORDS)
def test_production_does_not_start_without_each_password(missing):
    given = {name: text for name, text in GIVEN.items() if name != missing}

    with pytest.raises(VariableMissing, match=missing):
        for name in services_of(STRICT, "fleet"):
            environment_of(STRICT[name], given)


def test_production_takes_no_password_from_the_files():
    for name in services_of(STRICT, "fleet"):
        for variable, text in STRICT[name]["environment"].items():
            secret = SECRET.search(text)
            if secret or variable.endswith("PASSWORD"):
                asked = VARIABLE.fullmatch(secret[1] if secret else text)
                assert asked["required"], variable


def test_in_production_nothing_can_be_written_or_gained_and_everything_is_bounded():
    for name in PREPARING | STRICTLY_SERVING:
        service = STRICT[name]
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["pids_limit"]
    for name in DATABASES | STRICTLY_SERVING:
        assert STRICT[name]["restart"] == "always"
        assert STRICT[name]["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}


def test_only_the_machine_itself_reaches_what_is_published_and_never_a_database_that_is_kept():
    for services in (LOCAL, STRICT):
        assert "ports" not in services["postgres"]
        for service in services.values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_what_administrators_run_is_in_this_repository():
    for name in ("logins", "roles"):
        mounts = dict(mount.removesuffix(":ro").split(":") for mount in STRICT[name]["volumes"])
        command = STRICT[name]["command"]
        files = [word for before, word in pairwise(command) if before == "-f"]
        assert files
        for file in files:
            (source,) = (
                ROOT / local / file.removeprefix(inside).lstrip("/")
                for local, inside in mounts.items()
                if file.startswith(inside)
            )
            assert source.is_file(), file


@pytest.mark.parametrize("files", [[BASE], [BASE, PRODUCTION]], ids=["local", "production"])
def test_the_files_are_read_here_as_the_tool_reads_them_where_it_is_there(files):
    services = composed(*files)["services"]
    ours = {name: environment_of(services[name], GIVEN) for name in services_of(services, "fleet")}
    assert all(ours.values())

    if (tool := composing_tool()) is not None:
        named = [word for name in files for word in ("-f", name)]
        command = [*tool, *named, "--profile", "fleet", "config"]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | GIVEN, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        theirs = yaml.safe_load(done.stdout)["services"]
        assert {name: theirs[name]["environment"] for name in ours} == ours


def composing_tool():
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version"], capture_output=True)
            if asked.returncode == 0:
                return command
    return None
