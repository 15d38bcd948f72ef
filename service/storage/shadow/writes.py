"""What the primary did, as the shadow is told of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.domains.callers import Caller
from service.errors.families import ServiceError
from service.storage.ports.store import Store

# What a store is asked: by reading it, or by doing an act on it.
Ask = Callable[[Store], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Succeeded:
    value: object


@dataclass(frozen=True, slots=True)
class Failed:
    """Two refusals are alike when they are of one kind; what they say of ids is not compared."""

    refusal: ServiceError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failed) and type(self.refusal) is type(other.refusal)

    def __hash__(self) -> int:
        return hash(type(self.refusal))


Outcome = Succeeded | Failed


@dataclass(frozen=True, slots=True)
class MirroredRead:
    """Something that is stored, read alike from both."""

    place: str
    read: Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredWrite:
    """What there is to do about an act, once its outcome is known.

    `touches` names everything the act reads or writes, so that acts which share a name stay in order. The act
    is repeated with the same arguments and `more` beside them, when it `wrote` something. Where it wrote
    nothing, the shadow is only asked what it would have done (`echo`), so that it never writes what the
    primary does not have; without an echo nothing is asked. `looks` are compared after a repeated act.
    `expected` stands for the outcome where only a part of it is compared. `counts` says that the outcome
    depends on all that was ever written, and not on one entity. `size` is about the bytes held on to.
    """

    entity_id: str
    tenant_id: str = Caller.local().tenant_id
    touches: frozenset[str] = frozenset()
    wrote: bool = False
    more: dict[str, Any] = field(default_factory=dict)
    echo: Ask | None = None
    looks: Sequence[MirroredRead] = ()
    compared: bool = True
    counts: bool = False
    size: int = 0
    correlation_id: str | None = None


# Says what there is to do about an act: from its outcome, None where it is unknown, and its arguments.
Describe = Callable[..., MirroredWrite]


async def outcome_of(work: Awaitable[object]) -> Outcome:
    """What came of it; whatever is no refusal is raised."""
    try:
        return Succeeded(await work)
    except ServiceError as refusal:
        return Failed(refusal)
