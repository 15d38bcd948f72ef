"""A scenario: a name, and what is played; it answers what was shown, in figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scripts.demo_pack.desk import Desk

Play = Callable[[Desk], str]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    play: Play


class Chapter:
    """Scenarios that belong together, in the order they are written."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.scenarios: list[Scenario] = []

    def scenario(self, name: str) -> Callable[[Play], Play]:
        def kept(play: Play) -> Play:
            self.scenarios.append(Scenario(name, play))
            return play

        return kept
