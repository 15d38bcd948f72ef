"""The import contracts of setup.cfg hold, and each of them finds what it forbids in every room it names."""

import os
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.conftest import ROOT

CONTRACTS = ConfigParser()
CONTRACTS.read(ROOT / "setup.cfg", encoding="utf-8")
LINT = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]


def lines(contract, key):
    return CONTRACTS[contract].get(key, "").split("\n")[1:]


def of_type(kind):
    return [
        name
        for name in CONTRACTS.sections()
        if name.startswith("importlinter:contract:") and CONTRACTS[name]["type"] == kind
    ]


def forbidden():
    """Each import that a contract forbids by name, as the importing package and what it imports."""
    for contract in of_type("forbidden"):
        for source in lines(contract, "source_modules"):
            for imported in lines(contract, "forbidden_modules"):
                yield contract, source, imported


def upward():
    """For each room the import of a room above it."""
    for contract in of_type("layers"):
        (container,) = lines(contract, "containers")
        above = None
        for layer in lines(contract, "layers"):
            rooms = [f"{container}.{room.strip()}" for room in layer.split("|")]
            for room in rooms:
                if above is not None:
                    yield contract, room, above
            above = rooms[0]


PLANTED = [*forbidden(), *upward()]


def lint(folder):
    done = subprocess.run(
        LINT, cwd=folder, env=os.environ | {"COLUMNS": "400"}, capture_output=True, text=True
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What is told of a copy of the service with every forbidden import in it."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "setup.cfg", folder)
    shutil.copytree(ROOT / "service", folder / "service", ignore=shutil.ignore_patterns("__pycache__"))
    for number, (_, source, imported) in enumerate(PLANTED):
        package = folder.joinpath(*source.split("."))
        text = f"\nimport {imported}  # planted\n"
        if package.is_dir():
            package.joinpath(f"planted_{number}.py").write_text(text, encoding="utf-8")
        else:
            with package.with_suffix(".py").open("a", encoding="utf-8") as module:
                module.write(text)
    code, told = lint(folder)
    assert code == 1, told
    return told


def test_every_contract_holds():
    code, told = lint(ROOT)
    assert code == 0, told


def test_every_room_is_named_by_a_layer():
    named = {
        name.strip() for layer in lines("importlinter:contract:rooms", "layers") for name in layer.split("|")
    }
    rooms = {
        path.stem for path in (ROOT / "service").iterdir() if path.name not in {"__init__.py", "__pycache__"}
    }
    assert named == rooms


@pytest.mark.parametrize(
    ("number", "source", "imported"),
    [
        pytest.param(number, source, imported, id=f"{contract.rpartition(':')[2]}-{source}-{imported}")
        for number, (contract, source, imported) in enumerate(PLANTED)
    ],
)
def test_a_planted_import_breaks_its_contract(found, number, source, imported):
    module = f"{source}.planted_{number}"
    importer = module if ROOT.joinpath(*source.split(".")).is_dir() else source
    assert f"{importer} -> {imported} " in found
