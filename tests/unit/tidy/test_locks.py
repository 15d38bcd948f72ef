"""What is installed is pinned, hashed, and what setup.cfg asks for."""

import re
import tomllib
from configparser import ConfigParser

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt")
OTEL, BUILD, CLIENT = "requirements-otel.txt", "requirements-build.txt", "requirements-client.txt"
EVERY_LOCK = (*LOCKS, OTEL, BUILD, CLIENT)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PIN = re.compile(r"==[^*,]+")


def entries_of(lock):
    """Each requirement of a lock on one line, its hashes behind it."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def requirement_of(entry):
    return Requirement(entry.partition(" --hash")[0])


def pins_of(lock):
    """The versions of each name; more than one when they depend on the platform."""
    pins = {}
    for requirement in map(requirement_of, entries_of(lock)):
        pins.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier))
    return pins


def asked_for():
    """Each requirement that somebody wrote down, with the locks that have to hold it."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    client = (ROOT / "requirements-client.in").read_text(encoding="utf-8")
    for locks, lines in (
        ((*LOCKS, OTEL), setup["options"]["install_requires"]),
        (LOCKS[1:], setup["options.extras_require"]["dev"]),
        ((OTEL, *LOCKS[1:]), setup["options.extras_require"]["otel"]),
        ([CLIENT], re.sub(r"#.*", "", client)),
        ([BUILD], "\n".join(pyproject["build-system"]["requires"])),
    ):
        for line in lines.split("\n"):
            if line.strip():
                yield from ((lock, Requirement(line)) for lock in locks)


@pytest.mark.parametrize("lock", EVERY_LOCK)
def test_every_requirement_is_pinned_and_hashed(lock):
    assert entries_of(lock)
    for entry in entries_of(lock):
        assert PIN.fullmatch(str(requirement_of(entry).specifier)), entry[:80]
        assert HASH.search(entry), entry[:80]


@pytest.mark.parametrize("lock", EVERY_LOCK)
def test_a_lock_names_no_place_to_install_from(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert "://" not in text
    assert not re.search(
        r"^\s*(?:-i|-f|-e|--index-url|--extra-index-url|--find-links|--trusted-host)\b", text, re.M
    )


@pytest.mark.parametrize("lock", [LOCKS[0], OTEL, BUILD])
def test_what_serves_is_what_was_tested(lock):
    used, tested = pins_of(lock), pins_of(LOCKS[1])

    assert used == {name: pins for name, pins in tested.items() if name in used}


@pytest.mark.parametrize(("lock", "asked"), list(asked_for()), ids=str)
def test_what_is_asked_for_is_locked(lock, asked):
    pins = pins_of(lock).get(canonicalize_name(asked.name))

    assert pins
    assert all(asked.specifier.contains(pin.removeprefix("=="), prereleases=True) for pin in pins)
