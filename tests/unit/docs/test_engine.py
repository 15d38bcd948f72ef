"""The examples of docs/engine.md, run by the engines; its tables of stages, against the engines' own."""

import json
import re

import msgspec
import pytest

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.values.money import decode_hook
from service.engines.advisory import v1 as advisory
from service.engines.dpm import v1 as dpm
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```json (request|proposal|change|gives)\n(.*?)```", re.DOTALL)
STAGE = re.compile(r"^\| `(\w+)` \| ", re.MULTILINE)
ENGINES = {
    "request": (RebalanceRequest, dpm.simulate, dpm.RunIdentity),
    "proposal": (ProposalSimulateRequest, advisory.simulate, advisory.ProposalIdentity),
}


def examples():
    """Each request with its engine and what it gives; a change is laid over the whole request before it."""
    kind, whole, asked = "", {}, None
    for word, text in BLOCK.findall(TEXT):
        value = json.loads(text)
        if word == "gives":
            yield pytest.param(kind, asked, value, id=f"{kind}-{TEXT[: TEXT.index(text)].count(chr(10))}")
        elif word == "change":
            asked = whole | {
                name: {**whole[name], **part} if name == "options" else part for name, part in value.items()
            }
        else:
            kind, whole, asked = word, value, value


def simulated(kind, request):
    read, simulate, identity = ENGINES[kind]
    result = simulate(
        msgspec.convert(request, read, dec_hook=decode_hook), identity("rr_1", "corr_1", "sha256:1")
    )
    return json.loads(msgspec.json.encode(result))


def require_within(part, whole, place="result"):
    """Whether all that a page shows of a result is in it: members by name, rows of lists one by one."""
    if isinstance(part, dict):
        for name, value in part.items():
            require_within(value, whole[name], f"{place}.{name}")
    elif isinstance(part, list):
        assert len(part) == len(whole), place
        for number, pair in enumerate(zip(part, whole, strict=True)):
            require_within(*pair, f"{place}[{number}]")
    else:
        assert part == whole, place


@pytest.mark.parametrize(("kind", "asked", "gives"), list(examples()))
def test_an_example_gives_what_the_page_says(kind, asked, gives):
    require_within(gives, simulated(kind, asked))


def test_there_are_examples_of_both_engines():
    assert {example.values[0] for example in examples()} == {"request", "proposal"}
    assert len(list(examples())) >= 9


@pytest.mark.parametrize(
    ("heading", "engine"), [("The rebalance engine", dpm), ("The advisory engine", advisory)]
)
def test_the_stages_of_the_page_are_those_of_the_engine(heading, engine):
    section = TEXT.partition(f"\n## {heading}")[2].partition("```json")[0]

    assert STAGE.findall(section) == [stage.__name__.removesuffix("_stage") for stage in engine.STAGES]


@pytest.mark.parametrize("engine", [dpm, advisory])
def test_the_page_is_about_the_current_version(engine):
    assert f"version {engine.ENGINE_VERSION}" in TEXT
