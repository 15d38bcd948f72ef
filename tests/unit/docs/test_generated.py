"""What docs/ has from the code is what the code has."""

import json
import re

import pytest

from scripts.bench import __main__ as bench
from scripts.docs import errors, events, metrics, operations, settings
from scripts.docs.pages import PART, PARTS, filled, pages
from service.domains import operations as operation_domain
from service.domains.shadow_differences import DifferenceKind
from service.observability.events import EVENTS
from service.settings.environment import StoreBackend
from tests.conftest import ROOT

PAGES = pages()


def text_of(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_as_make_docs_writes_it(page):
    text = page.read_text(encoding="utf-8")

    assert filled(text) == text, "run `make docs`"
    assert text.count("<!-- generated: ") == len(PART.findall(text))


def test_every_generated_part_stands_on_one_page():
    found = [part["name"] for page in PAGES for part in PART.finditer(page.read_text(encoding="utf-8"))]

    assert sorted(found) == sorted(PARTS)


def test_every_log_event_has_a_sentence_and_every_sentence_an_event():
    assert {call.event for call in events.logged()} == EVENTS.keys()
    assert all(sentence.endswith(".") for sentence in EVENTS.values())


def test_an_event_is_found_however_it_is_logged():
    found = {call.event: call for call in events.logged()}

    assert found["request"].level == "info"
    assert found["library"].level == "warning"
    assert found["operation_failed"].level == "error"
    # One call with a choice between two.
    assert found["listening"].facts and found["server_process_listening"].facts


def test_every_error_has_a_sentence():
    assert len([errors.sentence(kind) for kind in errors.coded()]) > 60


def test_an_error_without_a_sentence_is_found():
    undocumented = type("Undocumented", (), {"code": "NEW"})

    with pytest.raises(errors.Undocumented, match="NEW"):
        errors.sentence(undocumented)


def test_every_code_is_on_the_page_of_errors():
    document = json.loads(operations.DOCUMENT.read_text(encoding="utf-8"))
    published = {code for *_, one in operations.operations_in(document) for code in operations.codes_in(one)}
    of_operations = {
        value for value in vars(operation_domain).values() if str(value).startswith("DPM_ASYNC_")
    }
    page = text_of("errors.md")

    assert len(published) > 40 and len(of_operations) > 5
    assert not {code for code in published | of_operations if f"`{code}`" not in page}


def test_every_setting_has_its_effect():
    names = {name for name, *_ in settings.variables()}

    assert len(names) > 80
    assert settings.MISSING not in text_of("settings.md")


def test_a_new_setting_is_found_to_have_no_effect():
    assert settings.MISSING in settings.table("")


@pytest.mark.parametrize(
    ("name", "default", "invalid"),
    [
        ("DPM_BODY_BYTES_MAX", "8388608", "refuses to start"),
        ("DPM_WORKFLOW_ENABLED", "off", "off"),
        ("DPM_ARTIFACT_STORE_MODE", "`DERIVED`", "the default"),
        ("PROPOSAL_FOUR_EYES", "see effect", "off"),
        ("DPM_ENGINE_PROCESSES", "see effect", "refuses to start"),
    ],
)
def test_a_default_is_the_one_that_is_read(name, default, invalid):
    assert (name, default, invalid) in list(settings.variables())


def test_every_metric_of_the_dashboard_is_on_the_page():
    names = {name for name, *_ in metrics.instruments()}

    assert len(names) > 40
    assert "`lotus_http_answers_cut_total`" in names
    assert "`lotus_requests_in_flight`" in names


@pytest.mark.parametrize("beginning", ["CUTOVER_", "PERSISTENCE_PROFILE_"])
def test_every_code_of_the_cutover_is_on_its_page(beginning):
    found = {
        text.partition(":")[0]
        for path in operations.SERVICE.rglob("*.py")
        for text in words_of(path.read_text(encoding="utf-8"), beginning)
    }

    assert len(found) > 4
    assert not {code for code in found if code not in text_of("run/go-live.md")}


def words_of(text, beginning):
    return [word for word in text.replace('"', " ").replace("{", " ").split() if word.startswith(beginning)]


def test_every_kind_of_difference_is_explained():
    section = text_of("backends.md").partition("\n## A shadow\n")[2]

    assert re.findall(r"^\| `([A-Z]+)` \| ", section, re.MULTILINE) == [kind.value for kind in DifferenceKind]


def test_every_backend_is_described():
    assert re.findall(
        r"^\| (?:memory|SQLite|PostgreSQL) \| `([A-Z_]+)`", text_of("backends.md"), re.MULTILINE
    ) == [backend.value for backend in StoreBackend]


def test_every_figure_has_a_command_that_there_is_a_machine_and_a_date():
    rows = [line for line in text_of("performance.md").splitlines() if line.startswith("| ")]
    figures = [
        row.removesuffix(" |").split(" | ")[-3:] for row in rows if "---" not in row and "| what" not in row
    ]
    parts = {command[len("`make bench ONLY=") : -1] for command, _, _ in figures if "ONLY=" in command}

    assert len(figures) > 20
    assert parts <= set(bench.PARTS)
    for command, machine, date in figures:
        assert command.startswith("`make ") or command == "measured by hand"
        assert machine == "shared" and re.fullmatch(r"(before )?\d{4}-\d\d-\d\d", date)
