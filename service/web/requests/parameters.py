"""Reads what a caller names in a path and asks for in a query (HTTP contract 1.1, 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from marshmallow import ValidationError

from service.domains.values.bounds import (
    ENTITY_ID,
    FILED_CORRELATION_ID,
    ID,
    IDEMPOTENCY_KEY,
    Bounds,
    TextBound,
)
from service.errors.requests import RequestInvalid
from service.web import keys
from service.web.requests import headers
from service.web.schemas.entries import entry, size_entries
from service.web.schemas.faults import size_fault, text_fault
from service.web.schemas.parameters import AskedText, QuerySchema

_IN_PATH = {
    "correlation_id": FILED_CORRELATION_ID,
    "idempotency_key": IDEMPOTENCY_KEY,
    "entity_id": ENTITY_ID,
}


def path_id(request: web.Request, name: str, missing: Callable[[], Exception]) -> str:
    """An id in the path; one that cannot be stored names nothing, and so it is missing (D48).

    Raises what `missing` makes, and RequestInvalid for an id that is longer than any can be.
    """
    # The router takes bytes that are no text for the very characters that spell them, percent signs and all.
    if text_fault(unquote(request.rel_url.raw_path, errors="surrogateescape")) is not None:
        raise missing()
    text = headers.path_text(request, name)
    if too_long := size_entries(text, ("path", name), bound_in_path(name), request.app[keys.BOUNDS]):
        raise RequestInvalid(too_long)
    return text


def bound_in_path(name: str) -> TextBound:
    """How long a part of a path can be."""
    return _IN_PATH.get(name, ID)


def read(
    request: web.Request, schema: QuerySchema, header_faults: Sequence[headers.Entry] = ()
) -> dict[str, Any]:
    """The values a query asks for, by the attributes of the schema.

    Raises RequestInvalid, which lists what is wrong with the query and then with the headers.
    """
    received = received_in(request)
    values: dict[str, Any] = {}
    found = _long_texts(received, schema, request.app[keys.BOUNDS])
    try:
        values = schema.load(received)
    except ValidationError as refused:
        found |= refused.messages_dict
    if found or header_faults:
        raise RequestInvalid([*_query_faults(found, received), *header_faults])
    return values


@contextmanager
def together_with(faults: Sequence[headers.Entry]) -> Iterator[None]:
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


def _long_texts(received: Mapping[str, str], schema: QuerySchema, bounds: Bounds) -> dict[str, Any]:
    """What is wrong with the lengths of texts, by the names of their parameters."""
    return {
        name: [fault]
        for name, field in ((field.data_key or key, field) for key, field in schema.fields.items())
        if isinstance(field, AskedText) and name in received
        if (fault := size_fault(received[name], field.bound, bounds)) is not None
    }


def _query_faults(found: Mapping[str, Any], received: Mapping[str, str]) -> list[headers.Entry]:
    return [entry(fault, ("query", name), received.get(name)) for name in found for fault in found[name]]
