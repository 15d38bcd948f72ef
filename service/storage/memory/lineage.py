"""Edges in memory, filed under both their ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from service.domains.lineage import Edge
from service.storage.memory.state import State


class MemoryLineage:
    def __init__(self, state: State) -> None:
        self.state = state

    async def list_edges(self, tenant_id: str, entity_id: str) -> tuple[Edge, ...]:
        self.state.require_open()
        return tuple(sorted(self.state.edges.get((tenant_id, entity_id), ()), key=place_of))


def insert_edges(state: State, tenant_id: str, edges: Iterable[Edge]) -> None:
    for edge in edges:
        for entity_id in {edge.source_entity_id, edge.target_entity_id}:
            state.edges.setdefault((tenant_id, entity_id), []).append(edge)


def place_of(edge: Edge) -> tuple[datetime, str, str, str]:
    return (edge.created_at, edge.source_entity_id, edge.edge_type.value, edge.target_entity_id)
