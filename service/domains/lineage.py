"""Edges that say which entity led to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from service.domains.values.pages import clear, opaque

# A walk along edges is cut after this many, and says so.
TRAIL_EDGES_MAX = 1000
DEPTH_MAX = 20
# A walk counts an entity once for every distance it is reached at; more steps than these take more edges.
TRAIL_STEPS_MAX = DEPTH_MAX * (TRAIL_EDGES_MAX + 1) + 1


class EdgeType(Enum):
    """The first three are the contract's (7.1); with the others an entity points to what it came from."""

    CORRELATION_TO_RUN = "CORRELATION_TO_RUN"
    """The source is a correlation id, the target a run that is filed under it."""
    IDEMPOTENCY_TO_RUN = "IDEMPOTENCY_TO_RUN"
    """The source is an idempotency key, the target the run it brought."""
    OPERATION_TO_CORRELATION = "OPERATION_TO_CORRELATION"
    """The source is an operation, the target the correlation id it is filed under."""
    CAUSED_BY = "CAUSED_BY"
    """The source came of the target, such as a run of an operation."""
    REPLAYED_FROM = "REPLAYED_FROM"
    """The source is a replay of the target."""
    DERIVED_FROM = "DERIVED_FROM"
    """The source was made of the target: an artifact of its run, a version of the one before."""


# The types whose source came from their target; of the others the target came from the source.
POINTING_BACK = frozenset({EdgeType.CAUSED_BY, EdgeType.REPLAYED_FROM, EdgeType.DERIVED_FROM})


class OwnerKind(Enum):
    """The kind of entity that brought an edge; the edge has its creation instant and goes when it goes."""

    RUN = "RUN"
    OPERATION = "OPERATION"
    PROPOSAL = "PROPOSAL"


class Direction(Enum):
    """Up goes to what an entity came from, down to what came of it, whichever way an edge points."""

    BOTH = "both"
    """To what the entity came from and to what came of it."""
    UP = "up"
    """To what the entity came from."""
    DOWN = "down"
    """To what came of the entity."""

    @property
    def goes_down(self) -> bool:
        return self is not Direction.UP

    @property
    def goes_up(self) -> bool:
        return self is not Direction.DOWN

    @property
    def types_from_source(self) -> list[str]:
        """The types of edges that are followed from their source to their target."""
        return self._types_followed(pointing_back=self.goes_up, others=self.goes_down)

    @property
    def types_to_source(self) -> list[str]:
        """The types of edges that are followed from their target to their source."""
        return self._types_followed(pointing_back=self.goes_down, others=self.goes_up)

    def _types_followed(self, *, pointing_back: bool, others: bool) -> list[str]:
        return [kind.value for kind in EdgeType if (pointing_back if kind in POINTING_BACK else others)]


# Where an edge stands in every list: by creation, source, type and target, all ascending.
EdgePlace = tuple[datetime, str, str, str]


@dataclass(frozen=True, slots=True)
class Edge:
    source_entity_id: str
    edge_type: EdgeType
    target_entity_id: str
    created_at: datetime
    metadata: Mapping[str, str]
    lives_with: OwnerKind = OwnerKind.RUN

    @property
    def origin_id(self) -> str:
        """What the other end came from."""
        return self.target_entity_id if self.edge_type in POINTING_BACK else self.source_entity_id

    @property
    def outcome_id(self) -> str:
        """What came of the other end."""
        return self.source_entity_id if self.edge_type in POINTING_BACK else self.target_entity_id

    @property
    def place(self) -> EdgePlace:
        return (self.created_at, self.source_entity_id, self.edge_type.value, self.target_entity_id)

    @property
    def cursor(self) -> str:
        return opaque("|".join([self.created_at.isoformat(), *self.place[1:]]))


@dataclass(frozen=True, slots=True)
class EdgeFilter:
    """Bounds are inclusive; an edge type outside the vocabulary matches nothing."""

    direction: Direction = Direction.BOTH
    edge_type: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def matches(self, edge: Edge) -> bool:
        return (
            self.edge_type in (None, edge.edge_type.value)
            and (self.created_from is None or edge.created_at >= self.created_from)
            and (self.created_to is None or edge.created_at <= self.created_to)
        )

    def touches(self, edge: Edge, entity_id: str) -> bool:
        """Whether a walk from the entity in this direction goes along the edge."""
        return (self.direction.goes_down and edge.origin_id == entity_id) or (
            self.direction.goes_up and edge.outcome_id == entity_id
        )


@dataclass(frozen=True, slots=True)
class LineageGraph:
    """Edges met on a walk, by their places; truncated when the walk met more than TRAIL_EDGES_MAX.

    A truncated trail has the edges that are fewest steps away.
    """

    edges: tuple[Edge, ...]
    truncated: bool


def lineage_graph_of(nearest: Sequence[Edge], *, steps: int) -> LineageGraph:
    """The trail of the edges met, nearest first, one more than a trail can have at most."""
    truncated = len(nearest) > TRAIL_EDGES_MAX or steps >= TRAIL_STEPS_MAX
    return LineageGraph(tuple(sorted(nearest[:TRAIL_EDGES_MAX], key=lambda edge: edge.place)), truncated)


def places_of(cursor: str) -> tuple[EdgePlace, ...]:
    """The places a cursor can stand for: several when an id contains bars, none when it is no cursor."""
    created, _, rest = clear(cursor).partition("|")
    try:
        created_at = datetime.fromisoformat(created)
    except ValueError:
        return ()
    if created_at.utcoffset() != timedelta(0):
        return ()
    return tuple(
        (created_at, rest[:at], edge_type.value, rest[at + len(mark) :])
        for edge_type in EdgeType
        for mark in [f"|{edge_type.value}|"]
        for at in positions_of(mark, rest)
    )


def positions_of(mark: str, text: str) -> tuple[int, ...]:
    found: list[int] = []
    at = text.find(mark)
    while at >= 0:
        found.append(at)
        at = text.find(mark, at + 1)
    return tuple(found)
