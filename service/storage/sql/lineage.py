"""Edges in SQL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

import msgspec

from service.domains.lineage import Edge
from service.domains.values.canonical import canonical_json
from service.storage.sql.acts import Act, every


def insert_edges(tenant_id: str, edges: Iterable[Edge]) -> Act[None]:
    """Write any number of edges in one statement."""
    yield from every("lineage", "insert_edges", tenant_id=tenant_id, edges=text_of(edges))


def text_of(edges: Iterable[Edge]) -> str:
    return msgspec.json.encode(
        [
            {
                "source_entity_id": edge.source_entity_id,
                "edge_type": edge.edge_type.value,
                "target_entity_id": edge.target_entity_id,
                "created_at": edge.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
                "metadata": canonical_json(edge.metadata).decode("ascii"),
                "lives_with": edge.lives_with.value,
            }
            for edge in edges
        ]
    ).decode()
