"""The operations that are about the service itself (ruling 16)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from service.errors.requests import ShuttingDown
from service.flows.health import NOT_READY
from service.web.handlers import health as health_handlers
from service.web.handlers import openapi as openapi_handlers
from service.web.operations.row import STORE, Operation, Tag


class Health(msgspec.Struct, frozen=True):
    """It is well; who is not answers 503, or not at all."""

    status: Literal["UP"]
    """Whether the service is well.

    - UP: It is well.
    """


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/health/live",
        name="live",
        handler=health_handlers.live,
        needs_store=False,
        tag=Tag.SERVICE,
        summary="Whether the process runs",
        description="Answers while the event loop runs; without an answer a supervisor may restart it.",
        answer=Health,
        always_admitted=True,
        example="health",
    ),
    Operation(
        method="GET",
        path="/health/ready",
        name="ready",
        handler=health_handlers.ready,
        needs_store=False,
        tag=Tag.SERVICE,
        summary="Whether the process can take work",
        description="A write would succeed and it is not stopping; 503 says by its code why not, and a "
        "load balancer that gets it sends work elsewhere.",
        answer=Health,
        refusals=(ShuttingDown, *STORE, *NOT_READY.values()),
        always_admitted=True,
        example="health",
    ),
    Operation(
        method="GET",
        path="/openapi.json",
        name="openapi",
        handler=openapi_handlers.get_document,
        needs_store=False,
        tag=Tag.SERVICE,
        summary="This document",
        description="The whole API as OpenAPI 3.1.",
        answer=dict[str, Any],
    ),
)
