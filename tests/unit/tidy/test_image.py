"""What the image is built from and how it runs, as far as it can be told without building it."""

import json
import re

import click
import pytest

from scripts.build_wheel import SOURCES
from service.cli.commands import main
from tests.conftest import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
LINES = [line for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
BUILD, RUN = (part.splitlines() for part in re.split(r"^FROM .*\n", "\n".join(LINES), flags=re.M)[1:])
SETTINGS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "service" / "settings").glob("*.py"))
LOCKS = {"requirements.txt", "requirements-otel.txt", "requirements-build.txt"}
READ_BY_TOOLS = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "LOGNAME"}


def told(lines, instruction):
    return [line.removeprefix(instruction).strip() for line in lines if line.startswith(f"{instruction} ")]


def test_it_is_built_from_what_the_wheel_is_built_from_and_the_locks():
    copied = [name for line in told(BUILD, "COPY") for name in line.split()[:-1]]

    assert set(copied) == {*SOURCES, *LOCKS}
    assert all((ROOT / name).exists() for name in copied)


def test_nothing_else_is_sent_to_the_builder():
    first, *others = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    assert first == "*"
    assert {line.removeprefix("!") for line in others if line.startswith("!")} == {*SOURCES, *LOCKS}


def test_every_package_is_locked():
    (installing, packing) = told(BUILD, "RUN")

    assert installing.count("--require-hashes") == installing.count("pip install") == 2
    assert packing.count("--no-deps --no-index") == packing.count("pip ") == 2
    assert told(BUILD, "ARG") == ["REQUIREMENTS=requirements.txt"]


def test_both_stages_begin_alike_at_a_named_version():
    bases = [line.split()[1] for line in LINES if line.startswith("FROM ")]

    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.1[1-3]-slim", bases[0])


def test_it_runs_as_nobody_in_particular_and_holds_nothing_but_what_was_built():
    assert told(RUN, "USER") == ["10001"]
    assert told(RUN, "COPY") == ["--from=build /opt/venv /opt/venv"]
    assert told(RUN, "VOLUME") == ["/data"]
    assert not told(LINES, "ADD")


@pytest.mark.parametrize("instruction", ["ENTRYPOINT", "CMD"])
def test_it_is_started_without_a_shell_between(instruction):
    (line,) = told(RUN, instruction)

    assert json.loads(line)


def test_what_it_starts_is_there():
    (entry,), words = (json.loads(told(RUN, instruction)[0]) for instruction in ("ENTRYPOINT", "CMD"))

    assert f"{entry} = " in (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert {"serve", "worker", "migrate"} <= main.commands.keys()
    command = main.commands[words[0]]
    assert isinstance(command, click.Command)
    with command.make_context(words[0], words[1:]) as parsed:
        assert parsed.params["host"] == "0.0.0.0"
        assert str(parsed.params["port"]) in told(RUN, "EXPOSE")[0].split()


def test_what_it_sets_is_read():
    names = re.findall(r"(\w+)=", told(RUN, "ENV")[0])

    assert {name for name in names if f'"{name}"' not in SETTINGS} == READ_BY_TOOLS


def test_its_ports_are_those_where_something_answers():
    sets = dict(re.findall(r"(\w+)=(\S+)", told(RUN, "ENV")[0]))
    default = {option.name: option.default for option in main.commands["worker"].params}

    assert told(RUN, "EXPOSE")[0].split() == ["8000", str(default["port"]), sets["DPM_METRICS_PORT"]]


def test_it_says_how_it_is_and_is_told_to_stop_as_the_service_expects():
    (health,) = (line for line in RUN if line.startswith("HEALTHCHECK"))

    assert "http://127.0.0.1:8000/health/ready" in json.loads(health.partition("CMD ")[2])[-1]
    assert told(RUN, "STOPSIGNAL") == ["SIGTERM"]
    assert "org.opencontainers.image.title" in told(RUN, "LABEL")[0]
