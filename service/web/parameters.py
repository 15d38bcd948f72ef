"""Reads what a caller names in a path and asks for in a query (HTTP contract 1.1, 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from marshmallow import ValidationError

from service.errors import RequestInvalid
from service.web import reading
from service.web.schemas.entries import entry
from service.web.schemas.faults import text_fault
from service.web.schemas.parameters import QuerySchema


def path_id(request: web.Request, name: str, missing: Callable[[], Exception]) -> str:
    """An id in the path; one that cannot be stored names nothing, and so it is missing (D48)."""
    # The router takes bytes that are no text for the very characters that spell them, percent signs and all.
    if text_fault(unquote(request.rel_url.raw_path, errors="surrogateescape")) is not None:
        raise missing()
    return reading.path_text(request, name)


def read(
    request: web.Request, schema: QuerySchema, header_faults: Sequence[reading.Entry] = ()
) -> dict[str, Any]:
    """The values a query asks for, by the attributes of the schema.

    Raises RequestInvalid, which lists what is wrong with the query and then with the headers.
    """
    received = received_in(request)
    try:
        values: dict[str, Any] = schema.load(received)
    except ValidationError as refused:
        raise RequestInvalid([*_query_faults(refused, received), *header_faults]) from None
    if header_faults:
        raise RequestInvalid(header_faults)
    return values


@contextmanager
def together_with(faults: Sequence[reading.Entry]) -> Iterator[None]:
    """Reads a body when it is known what is wrong with all that comes before it; one answer lists all (2.2).

    Raises RequestInvalid, unless neither the body nor anything before it is at fault. Broken JSON is said
    before everything else.
    """
    try:
        yield
    except RequestInvalid as refused:
        if refused.entries[0]["type"] == "json_invalid":
            raise
        raise RequestInvalid([*faults, *refused.entries]) from None
    if faults:
        raise RequestInvalid(faults)


def received_in(request: web.Request) -> dict[str, str]:
    """The parameters of a query as text; of one that is repeated the last counts.

    Bytes that are no text stay visible as such, so that a field can refuse them.
    """
    query = request.rel_url.raw_query_string
    return dict(parse_qsl(query, keep_blank_values=True, errors="surrogateescape"))


def _query_faults(refused: ValidationError, received: dict[str, str]) -> list[reading.Entry]:
    found = refused.messages_dict
    return [entry(fault, ("query", name), received.get(name)) for name in found for fault in found[name]]
