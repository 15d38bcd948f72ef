"""The tables of states, from the rules that decide."""

from __future__ import annotations

from scripts.docs.tables import codes_of, table_of
from service.domains.operations import MOVES
from service.domains.proposals.values import APPROVALS, TRANSITIONS


def operation_table(_: str) -> str:
    """Every state of an operation and the states that may follow it."""
    rows = [
        (f"`{status.value}`", codes_of(sorted(after.value for after in following)) or "none: it has ended")
        for status, following in MOVES.items()
    ]
    return table_of(("state", "may become"), rows)


def proposal_table(_: str) -> str:
    """Every transition of a proposal, by state."""
    rows = [
        (f"`{state.value}`", f"`{event.value}`", f"`{after.value}`")
        for (state, event), after in sorted(
            TRANSITIONS.items(), key=lambda one: (list(type(one[0][0])).index(one[0][0]), one[0][1].value)
        )
    ]
    return table_of(("in", "event", "becomes"), rows)


def approval_table(_: str) -> str:
    """Every kind of approval, the state it is given in, and the event it is."""
    rows = [
        (f"`{kind.value}`", f"`{state.value}`", f"`{event.value}`")
        for kind, (state, event) in APPROVALS.items()
    ]
    return table_of(("approval", "given in", "event"), rows)
