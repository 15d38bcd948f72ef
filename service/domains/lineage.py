"""Edges that say which entity led to which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class EdgeType(Enum):
    CORRELATION_TO_RUN = "CORRELATION_TO_RUN"
    IDEMPOTENCY_TO_RUN = "IDEMPOTENCY_TO_RUN"
    OPERATION_TO_CORRELATION = "OPERATION_TO_CORRELATION"


@dataclass(frozen=True, slots=True)
class Edge:
    source_entity_id: str
    edge_type: EdgeType
    target_entity_id: str
    created_at: datetime
    metadata: Mapping[str, str]
