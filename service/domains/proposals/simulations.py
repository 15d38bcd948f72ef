"""Simulations of proposals that are only answered, and can be asked for again by their key (ruling 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSimulation:
    """`request` is canonical JSON, `result` the very bytes that were answered.

    The artifact of a simulation is built from both and from `created_at`, so it is the same at every call.
    """

    tenant_id: str
    idempotency_key: str
    request_hash: str
    request: bytes
    result: bytes
    created_at: datetime
