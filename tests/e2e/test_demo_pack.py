"""The demo pack on a real server; several times on one store, for its keys are to be fresh each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.demo_pack.__main__ import CHAPTERS, Outcome, everything_on, play, play_all
from scripts.demo_pack.desk import Desk, require
from scripts.demo_pack.scenarios import Scenario
from scripts.harness.servers import Server

SCENARIOS_MIN = 25
PLAYS, PLAYS_IN_SMALL = 3, 2


@pytest.mark.slow
@pytest.mark.faults
def test_every_scenario_holds_however_often_the_pack_is_played(
    tmp_path: Path,
    serve: Callable[..., Server],
    capsys: pytest.CaptureFixture[str],
    faults_in_full: bool,
) -> None:
    server = serve(everything_on(tmp_path / "demo.db"))

    for _ in range(PLAYS if faults_in_full else PLAYS_IN_SMALL):
        shown = play_all(server.base)

        assert [row for row in shown if row.outcome is not Outcome.HELD] == []
        assert len(shown) >= SCENARIOS_MIN
        table = capsys.readouterr().out
        assert all(f"{row.name:<20}" in table and row.text in table for row in shown)
        assert table.endswith(f"{len(shown)} of {len(shown)} scenarios held\n")


@pytest.mark.slow
def test_what_a_server_does_not_show_is_off_and_not_broken(
    tmp_path: Path, serve: Callable[..., Server]
) -> None:
    off = {"DPM_WORKFLOW_ENABLED": "off", "DPM_POLICY_PACKS_ENABLED": "off", "PROPOSAL_FOUR_EYES": "off"}
    server = serve(everything_on(tmp_path / "demo.db") | off)

    outcomes = {row.name: row.outcome for row in play_all(server.base)}

    assert Outcome.BROKEN not in outcomes.values()
    assert outcomes["A reviewer approves"] is Outcome.OFF
    assert outcomes["A tenant has rules of its own"] is Outcome.OFF
    assert outcomes["Four eyes"] is Outcome.OFF
    assert outcomes["A book comes to its model"] is Outcome.HELD


def test_what_does_not_hold_is_told_with_its_reason() -> None:
    def broken(_: Desk) -> str:
        require(1 > 2, "one is not more than two")
        return "never"

    shown = play(Scenario("Arithmetic", broken), Desk("http://127.0.0.1:1"))

    assert (shown.outcome, shown.text) == (Outcome.BROKEN, "one is not more than two")


def test_a_server_that_is_not_there_holds_nothing() -> None:
    desk = Desk("http://127.0.0.1:1")

    shown = [play(scenario, desk) for chapter in CHAPTERS for scenario in chapter.scenarios]

    assert {row.outcome for row in shown} == {Outcome.BROKEN}
    assert len({row.name for row in shown}) == len(shown)
