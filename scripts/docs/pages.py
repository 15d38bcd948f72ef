"""The pages of docs/ and the parts of them that are generated.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of a page is written
by hand and never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from scripts.docs import contracts, errors, events, metrics, operations, settings, states

ROOT = Path(__file__).resolve().parents[2]
PART = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n)(?P<text>.*?)(<!-- end -->)", re.DOTALL)

# Each is given the part as it stands, because one of them keeps a column that is written by hand.
PARTS: Mapping[str, Callable[[str], str]] = {
    "operations": operations.table,
    "import-contracts": contracts.table,
    "errors": errors.table,
    "settings": settings.table,
    "metrics": metrics.table,
    "metric-values": metrics.values_table,
    "log-events": events.table,
    "proposal-transitions": states.proposal_table,
    "proposal-approvals": states.approval_table,
    "operation-transitions": states.operation_table,
}


def pages() -> tuple[Path, ...]:
    """Every page of docs/, in order."""
    return tuple(sorted((ROOT / "docs").rglob("*.md")))


def filled(text: str) -> str:
    """A page with its generated parts as the code has them now. Raises KeyError for an unknown part."""
    return PART.sub(lambda part: f"{part[1]}{PARTS[part['name']](part['text'])}{part[4]}", text)
