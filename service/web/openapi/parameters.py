"""What is said about parameters by their names; each name means one thing everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from service.web.requests.parameters import bound_in_path
from service.web.schemas.proposals import VERSION_NO

_NAME = re.compile(r"{(\w+)}")

# An example of each part of a path.
IN_PATH: Mapping[str, tuple[str, Any]] = {
    "rebalance_run_id": ("Id of a run, as its result shows it.", "rr_019ac00000007000800000000000abcd"),
    "correlation_id": ("The id that a caller sent, or was given, with a request.", "corr_demo_1"),
    "request_hash": (
        "The hash of a request, as runs show it.",
        "sha256:d662dd868633f9012fecd429bf0aa3d6b2d46d3702022547f61be29b59a248ce",
    ),
    "idempotency_key": ("The key that a caller sent with a request.", "demo-key-1"),
    "operation_id": (
        "Id of an operation, as its acceptance shows it.",
        "dop_019ac00000007000800000000000abcd",
    ),
    "entity_id": ("Any id that edges lead from or to.", "rr_019ac00000007000800000000000abcd"),
    "policy_pack_id": ("Id that requests select the policy pack by.", "dpm_core_sg"),
    "proposal_id": ("Id of a proposal, as its creation shows it.", "pp_019ac00000007000800000000000abcd"),
    VERSION_NO: ("Number of a version, from 1.", 1),
}

INSTANT = (
    "ISO 8601; without an offset it is UTC. A date alone and unix seconds or milliseconds are taken too."
)

IN_QUERY: Mapping[str, str] = {
    "from": f"Not before this instant. {INSTANT}",
    "to": f"Not after this instant. {INSTANT}",
    "created_from": f"Created not before this instant. {INSTANT}",
    "created_to": f"Created not after this instant. {INSTANT}",
    "status": "Only those in this status; an unknown one gives an empty page.",
    "state": "Only those in this state; an unknown one gives an empty page.",
    "request_hash": "Only those of this request hash.",
    "portfolio_id": "Only those of this portfolio.",
    "operation_type": "Only those of this type; an unknown one gives an empty page.",
    "correlation_id": "Only those of this correlation id.",
    "rebalance_run_id": "Only those on this run.",
    "action": "Only those of this action.",
    "actor_id": "Only those of this reviewer.",
    "reason_code": "Only those with this reason.",
    "created_by": "Only those created by this adviser.",
    "edge_type": "Only edges of this type; an unknown one gives an empty page.",
    "depth": "How many edges a walk may go from the entity.",
    "direction": "Whether a walk goes up, to what the entity came from, down, to what came of it, or both.",
    "kind": "Only differences of this kind.",
    "limit": "How many are on a page at most.",
    "cursor": "The `next_cursor` of the page before; one that is not known gives an empty page.",
    "include_artifact": "Whether the artifact is part of the bundle.",
    "include_async_operation": "Whether the operation is part of the bundle.",
    "include_idempotency_history": "Whether the uses of the key are part of the bundle.",
    "include_evidence": "Without it, `evidence_bundle` is empty; the copy inside the artifact stays.",
    "record": "Whether the replay is kept as a run of its own.",
}


def path_names(path: str) -> list[str]:
    return _NAME.findall(path)


def sample_path(path: str) -> str:
    """The path with an example of each of its parts."""
    return _NAME.sub(lambda found: str(IN_PATH[found[1]][1]), path)


def _text(name: str) -> dict[str, Any]:
    return {"type": "string", "maxLength": bound_in_path(name).characters_max}


def path_parameter(name: str) -> dict[str, Any]:
    description, example = IN_PATH[name]
    number = {"type": "integer", "minimum": 1} if name == VERSION_NO else _text(name)
    return {
        "in": "path",
        "name": name,
        "required": True,
        "schema": number,
        "description": description,
        "example": example,
    }
