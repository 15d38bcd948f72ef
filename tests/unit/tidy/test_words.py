"""Names that say nothing, names that were retired, and texts that do not belong in a repository."""

import ast
import os
import re
from pathlib import Path

from tests.conftest import ROOT
from tests.unit.tidy.sources import MODULES, nodes_of

EMPTY_NAMES = {"utils", "helpers", "common", "misc"}
# A machine's own path, or the address of a package registry.
FOREIGN = re.compile(r"(?<![\w./-])/(?:work|root|home)/|https?://[^\s/]*(?:pypi|pythonhosted|npmjs)")
TEXTS = (".py", ".sql", ".md", ".cfg", ".toml", ".txt", ".json", "Makefile", "Dockerfile")
SKIPPED = {".git", ".venv", ".venv-client", ".venv-lock", ".data", ".hypothesis"}
IS_CACHE = re.compile(r"^\..*_cache$|^__pycache__$")


def files():
    for folder, inner, names in os.walk(ROOT):
        # An environment has tens of thousands of files.
        inner[:] = [name for name in inner if name not in SKIPPED and not IS_CACHE.search(name)]
        yield from (Path(folder, name) for name in names if name not in SKIPPED)


def test_no_module_has_a_name_that_says_nothing():
    assert not [path for path in files() if path.stem in EMPTY_NAMES]


def test_no_file_names_a_machine_or_a_registry():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files()
        if path.name.endswith(TEXTS) and path.name != "test_words.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FOREIGN.search(line)
    ]

    assert not found


# Names that were replaced by the words of the field; none may come back.
RETIRED_CLASSES = {
    "ActMeasures",
    "Admitted",
    "Aim",
    "AnswerFamily",
    "Answered",
    "Asked",
    "AskedApproval",
    "AskedRun",
    "AskedTransition",
    "BatchAdmission",
    "Book",
    "Books",
    "Curtain",
    "Demand",
    "Duty",
    "EngineMeasures",
    "EngineProcessMeasures",
    "Followed",
    "ForwardOnly",
    "ForwardOnlyPostgres",
    "ForwardOnlySqlite",
    "Gaps",
    "Gates",
    "Horizon",
    "Journal",
    "Keeper",
    "KeyFamily",
    "KeyMapping",
    "KeyUse",
    "LivesWith",
    "Look",
    "Malformed",
    "MemoryParity",
    "MemoryPurges",
    "Met",
    "OfferFlow",
    "OfferQueries",
    "Offers",
    "Offload",
    "OperationHead",
    "OperationLost",
    "OperationMeasures",
    "OperationMoved",
    "PackWish",
    "ParityFilter",
    "ParityFlow",
    "ParityReport",
    "ParityStore",
    "ParitySummary",
    "PieceOfWork",
    "Place",
    "PlaceRefused",
    "Plainly",
    "PolicyCatalogMoved",
    "PostgresParity",
    "PostgresPurges",
    "Presence",
    "ProfileUnfit",
    "ProposalKeyFamily",
    "ProposalMoved",
    "Purge",
    "PurgeFlow",
    "PurgeMeasures",
    "PurgeRecord",
    "PurgeStore",
    "Removed",
    "ReplayAdmission",
    "RunAdmission",
    "RunHead",
    "Said",
    "SealedRun",
    "Sent",
    "ShadowMeasures",
    "ShadowView",
    "Shelves",
    "SqliteParity",
    "SqlitePurges",
    "Standing",
    "Stopping",
    "SweepFlow",
    "SweepMeasures",
    "Told",
    "Trail",
    "Unwatched",
    "Verdict",
    "Waiting",
    "Wanted",
    "WatchFlow",
    "WatchedOffload",
    "Watchers",
    "Writer",
}
RETIRED_MODULES = {
    "beside",
    "blocks",
    "configured",
    "copying",
    "cutover_findings",
    "cutting",
    "dpm_admissions",
    "endings",
    "finding",
    "forward_only",
    "inside",
    "journal",
    "keeper",
    "listening",
    "looking",
    "measured",
    "measures",
    "measuring",
    "offers",
    "operating",
    "overload",
    "pacing",
    "pack_texts",
    "packing",
    "parity_asking",
    "parity_books",
    "parity_kept",
    "parity_mix",
    "parity_places",
    "postgres_standing",
    "presence",
    "processes",
    "proposal_changes",
    "purges",
    "reading",
    "refusals",
    "role_rights",
    "run_names",
    "shelves",
    "slashes",
    "stopping",
    "stored_tables",
    "sweeps",
    "telemetry",
    "tracing",
    "turning_away",
    "unlucky",
    "waiting",
    "watching",
    "writer",
}
RETIRED_NAMES = {
    "PURGED_AT_ONCE",
    "asks_the_same",
    "climb_ladder",
    "hand_back",
    "horizon_at",
    "run_here",
    "settle_memory",
    "shadow_kept",
    "shadow_missed",
    "shadow_waiting",
    "sweep_seconds",
    "sweeps_of",
    "take_back",
    "taken_back",
    "trail_of",
}
# Log events, metrics, settings and outcomes.
RETIRED_TEXTS = {
    "DPM_RECEIVE_SECONDS_MAX",
    "DPM_REQUESTS_MAX",
    "DPM_REQUEST_SECONDS_MAX",
    "DPM_STOP_SECONDS_MAX",
    "DPM_SUPPORTABILITY_SHADOW_ACTS_WAITING_MAX",
    "HANDED_BACK",
    "INTERRUPTED",
    "connection_not_taken",
    "count_failed",
    "cut_short",
    "job_queue_lost",
    "lotus_engine_seconds",
    "lotus_loop_lag_seconds",
    "lotus_offers_waiting",
    "lotus_operations_started_again",
    "lotus_operations_swept",
    "lotus_purge_removed",
    "lotus_refusals",
    "lotus_request_seconds",
    "lotus_requests_turned_away",
    "lotus_requests_waiting",
    "lotus_shadow_acts",
    "lotus_shadow_missed",
    "lotus_shadow_waiting",
    "lotus_store_act_seconds",
    "lotus_store_reachable",
    "offer_broke",
    "offer_not_put_back",
    "operation_handed_back",
    "operation_left",
    "operation_lost",
    "operation_not_handed_back",
    "operation_taken_back",
    "operations_offered_again",
    "scenario_killed_its_process",
    "setting_unreadable",
    "shadow_act_failed",
    "shadow_act_not_taken",
    "shadow_away",
    "shadow_look_failed",
    "shadow_there",
    "sweep_failed",
    "unforeseen_error",
    "unreadable_request",
    "watch_failed",
}
# Variables, arguments and attributes of the service.
RETIRED_VARIABLES = {"book", "books", "fold", "horizon", "lane", "lanes", "offer", "offers", "sweeps", "wish"}
RETIRED = re.compile(
    r"(?<!\w)(?:"
    + "|".join(sorted(RETIRED_NAMES | RETIRED_TEXTS))
    + r")(?:_total|_bucket|_sum|_count)?(?!\w)"
)
# History keeps the words of its day.
HISTORY = {"CHANGELOG.md", "DECISIONS.md"}
PROSE = (".py", ".sql", ".md", ".yml", ".json", "Makefile", "Dockerfile")


def test_no_retired_class_or_module_comes_back():
    classes = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        for node in nodes_of(path)
        if isinstance(node, ast.ClassDef) and node.name in RETIRED_CLASSES
    ]
    modules = [path for path in MODULES if path.stem in RETIRED_MODULES]

    assert (classes, modules) == ([], [])


def test_no_retired_variable_comes_back():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name}"
        for path in MODULES
        if path.is_relative_to(ROOT / "service")
        for node in nodes_of(path)
        for name in names_in(node)
        if name.lstrip("_") in RETIRED_VARIABLES
    ]

    assert found == []


def names_in(node):
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
    return []


def test_no_retired_name_comes_back():
    found = [
        f"{path.relative_to(ROOT)}:{number} {match[0]}"
        for path in files()
        if path.name.endswith(PROSE)
        and path.name not in HISTORY | {"test_words.py"}
        and not {"migrations", "decisions"} & set(path.relative_to(ROOT).parts)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in RETIRED.finditer(line)
    ]

    assert found == []
