"""What is said about one operation; the document adds what follows from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp.typedefs import Handler

from service.domains.values.bounds import CORRELATION_ID
from service.errors.dpm_runs import SupportApisDisabled
from service.errors.families import ServiceError
from service.errors.proposals import ProposalDsnRequired, ProposalStoreUnavailable
from service.errors.storage import PostgresDsnRequired, PostgresUnavailable, StoreUnavailable
from service.web.feature_flags import Flag
from service.web.requests.headers import KEY_PATTERN
from service.web.schemas.parameters import QuerySchema

Refusals = tuple[type[ServiceError], ...]

# What is refused where the store of either desk is asked.
STORE: Refusals = (StoreUnavailable, PostgresDsnRequired, PostgresUnavailable)
PROPOSAL_STORE: Refusals = (ProposalDsnRequired, ProposalStoreUnavailable)
SUPPORT: Refusals = (SupportApisDisabled, *STORE)


class Tag(Enum):
    """The published groups (HTTP contract 6.6), and one of ours; generators make a module of each."""

    SIMULATION = "DPM Simulation"
    WHAT_IF = "DPM What-If Analysis"
    SUPPORT = "DPM Run Supportability"
    ADVISORY = "Advisory Simulation"
    LIFECYCLE = "Advisory Proposal Lifecycle"
    SERVICE = "Service"


TAG_TEXTS: Mapping[Tag, str] = {
    Tag.SIMULATION: "One rebalance of a discretionary portfolio, computed and recorded.",
    Tag.WHAT_IF: "Named scenarios over one book, at once or later.",
    Tag.SUPPORT: "What was recorded: runs, operations, reviews, lineage, policy packs.",
    Tag.ADVISORY: "What an adviser proposes, computed and not kept.",
    Tag.LIFECYCLE: "Proposals from draft to execution: versions, events, approvals.",
    Tag.SERVICE: "Whether the service runs, and this document.",
}

_TEXT: Mapping[str, Any] = {
    "type": "string",
    "pattern": "^[ -~]*$",
    "maxLength": CORRELATION_ID.characters_max,
}


class Header(Enum):
    """A header of a request: its name, whether it is required, its schema and what it is for."""

    KEY = (
        "Idempotency-Key",
        True,
        {"type": "string", "pattern": KEY_PATTERN},
        "Names the request: the same key with the same body is answered with the first answer, byte for "
        "byte; with another body it is refused.",
    )
    OPTIONAL_KEY = (
        "Idempotency-Key",
        False,
        {"type": "string", "pattern": KEY_PATTERN},
        "Makes the request repeatable; without it, it happens each time it is sent.",
    )
    CORRELATION = (
        "X-Correlation-Id",
        False,
        _TEXT,
        "What the request is filed under; drawn when it is absent or empty.",
    )
    PACK = (
        "X-Policy-Pack-Id",
        False,
        _TEXT,
        "The policy pack the request asks for; it goes before that of the tenant and that of the house.",
    )
    TENANT_PACK = (
        "X-Tenant-Policy-Pack-Id",
        False,
        _TEXT,
        "The default pack of the tenant; present but blank, it says that the tenant has none.",
    )
    TENANT = (
        "X-Tenant-Id",
        False,
        _TEXT,
        "The tenant whose default pack is looked up when none is named.",
    )

    @property
    def parameter(self) -> dict[str, Any]:
        name, required, schema, description = self.value
        return {
            "in": "header",
            "name": name,
            "required": required,
            "schema": dict(schema),
            "description": description,
        }


PACK_HEADERS = (Header.PACK, Header.TENANT_PACK, Header.TENANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path.

    `name` is the published one; with the path it makes the operation's id. `answer` is the type of what is
    answered, None for an empty body. `refusals` are all but those that any operation or any body can meet.
    """

    method: str
    path: str
    name: str
    tag: Tag
    summary: str
    description: str
    answer: Any
    handler: Handler
    # Checked in this order: before the handler, or by it once it has read a body.
    flags: tuple[Flag, ...] = ()
    # Whether the store that it needs is asked for before anything is read (HTTP contract 2.2).
    needs_store: bool = True
    # Whether the query is read before the handler, by its schema.
    reads_query: bool = True
    status: HTTPStatus = HTTPStatus.OK
    query: type[QuerySchema] | None = None
    headers: tuple[Header, ...] = ()
    body: type[msgspec.Struct] | None = None
    refusals: Refusals = ()
    replays: bool = False
    # What is answered says where to look up what was accepted, and when.
    accepts: bool = False
    tells_pack: bool = False
    # The headers of a success beyond those that follow from the rest.
    sends: tuple[str, ...] = ()
    # A probe is answered also by a server that has no room for more.
    always_admitted: bool = False
    example: str | None = None

    @property
    def is_business(self) -> bool:
        """Whether it is about portfolios; the others take any query and any header."""
        return self.path.startswith("/rebalance/")

    @property
    def operation_id(self) -> str:
        """Unique, and the published one where the operation is published."""
        return re.sub(r"\W", "_", f"{self.name}{self.path}") + f"_{self.method.lower()}"
