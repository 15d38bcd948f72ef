"""Plays every scenario against a server and prints what was shown and whether it held.

    python -m scripts.demo_pack [URL]

Without a URL it starts a server of its own, on SQLite under .data, with everything switched on; what it
stores stays there, and the next play goes on beside it. A server that was started otherwise may be set up in
a way that does not show everything: such a scenario is off, and no failure. Exit status 1 if something did
not hold.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from http.client import HTTPException
from pathlib import Path

from scripts.demo_pack import policies, proposals, rebalances, records, reviews, wire
from scripts.demo_pack.desk import Desk, NotHeld, NotShown
from scripts.demo_pack.scenarios import Scenario
from scripts.harness.servers import ROOT, Server

CHAPTERS = (
    rebalances.CHAPTER,
    records.CHAPTER,
    reviews.CHAPTER,
    proposals.CHAPTER,
    policies.CHAPTER,
    wire.CHAPTER,
)
DATABASE = ROOT / ".data" / "demo-pack.db"
NAME_WIDTH = max(len(scenario.name) for chapter in CHAPTERS for scenario in chapter.scenarios)
# A bug of a scenario or of an answer's shape is one more way of not holding.
UNEXPECTED = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, OSError, HTTPException)


class Outcome(Enum):
    HELD = "yes"
    BROKEN = "NO"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Shown:
    name: str
    outcome: Outcome
    text: str


def play(scenario: Scenario, desk: Desk) -> Shown:
    try:
        return Shown(scenario.name, Outcome.HELD, scenario.play(desk))
    except NotShown as why:
        return Shown(scenario.name, Outcome.OFF, str(why))
    except NotHeld as why:
        return Shown(scenario.name, Outcome.BROKEN, str(why))
    except UNEXPECTED as error:
        return Shown(scenario.name, Outcome.BROKEN, repr(error))


def play_all(base: str) -> list[Shown]:
    """Plays everything once, and prints a row for each scenario when it has been played."""
    desk, shown = Desk(base), []
    print(f"\n{'#':>3}  {'Scenario':<{NAME_WIDTH}}  {'Held':<4}  Shown")
    for chapter in CHAPTERS:
        print(f"\n     {chapter.title}")
        for scenario in chapter.scenarios:
            row = play(scenario, desk)
            shown.append(row)
            print(
                f"{len(shown):>3}  {row.name:<{NAME_WIDTH}}  {row.outcome.value:<4}  {row.text}", flush=True
            )
    counts = {outcome: sum(row.outcome is outcome for row in shown) for outcome in Outcome}
    print(f"\n{counts[Outcome.HELD]} of {len(shown)} scenarios held", end="")
    print(f", {counts[Outcome.OFF]} are off on this server" if counts[Outcome.OFF] else "", end="")
    print(f", {counts[Outcome.BROKEN]} did NOT" if counts[Outcome.BROKEN] else "")
    return shown


def everything_on(database: Path) -> dict[str, str]:
    """The environment of a server that shows everything."""
    return {
        "DPM_SUPPORTABILITY_STORE_BACKEND": "SQL",
        "DPM_SUPPORTABILITY_SQL_PATH": str(database),
        "PROPOSAL_STORE_BACKEND": "SQL",
        "PROPOSAL_SQL_PATH": str(database),
        "DPM_LINEAGE_APIS_ENABLED": "on",
        "DPM_IDEMPOTENCY_HISTORY_APIS_ENABLED": "on",
        "DPM_WORKFLOW_ENABLED": "on",
        "PROPOSAL_FOUR_EYES": "on",
        "DPM_POLICY_PACKS_ENABLED": "on",
        "DPM_POLICY_PACK_ADMIN_APIS_ENABLED": "on",
        "DPM_POLICY_PACK_CATALOG_JSON": json.dumps({policies.TENANT_PACK: policies.PRUDENT}),
        "DPM_TENANT_POLICY_PACK_RESOLUTION_ENABLED": "on",
        "DPM_TENANT_POLICY_PACK_MAP_JSON": json.dumps({policies.TENANT: policies.TENANT_PACK}),
    }


@contextmanager
def server_at(url: str) -> Iterator[str]:
    """The address of the server that is meant, or of one that is started for as long as it is played on."""
    if url:
        yield url
        return
    with Server(everything_on(DATABASE)) as server:
        yield server.base


def main() -> None:
    with server_at(sys.argv[1] if len(sys.argv) > 1 else "") as base:
        shown = play_all(base)
    if any(row.outcome is Outcome.BROKEN for row in shown):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
