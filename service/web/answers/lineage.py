"""Answers about the lineage of runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from service.domains.lineage import Edge, EdgeType
from service.domains.values.ids import NextCursor
from service.domains.values.pages import Page
from service.domains.values.published import published


@published("DpmLineageEdgeResponse")
class LineageEdge(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmLineageEdgeResponse`, also where a proposal shows its own lineage."""

    source_entity_id: str
    """Id that the edge leads from."""
    edge_type: EdgeType
    """What the edge says of its two ends.

    Values as of `service.domains.lineage.EdgeType`.
    """
    target_entity_id: str
    """Id that the edge leads to."""
    created_at: str
    """Instant at which the entity that brought the edge was created, in UTC."""
    metadata: Mapping[str, str]
    """Facts of the edge as text, such as the type of an operation, the number of a version or a trace id."""


def edge_of(edge: Edge) -> LineageEdge:
    return LineageEdge(
        source_entity_id=edge.source_entity_id,
        edge_type=edge.edge_type,
        target_entity_id=edge.target_entity_id,
        created_at=edge.created_at.isoformat(),
        metadata=edge.metadata,
    )


@published("DpmLineageResponse")
class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmLineageResponse`; truncated says that a walk met more edges than are shown on all its pages."""

    entity_id: str
    """Id that the walk started from."""
    edges: list[LineageEdge]
    """Edges that the walk met, oldest first."""
    next_cursor: NextCursor | None
    truncated: bool
    """Whether the walk met more edges than all its pages show, which are those nearest to the entity."""


def lineage_of(entity_id: str, page: Page[Edge], *, truncated: bool = False) -> Lineage:
    return Lineage(
        entity_id=entity_id,
        edges=[edge_of(edge) for edge in page.items],
        next_cursor=page.next_cursor,
        truncated=truncated,
    )
