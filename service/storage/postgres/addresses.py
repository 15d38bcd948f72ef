"""Addresses of PostgreSQL."""

from __future__ import annotations

import os

ATTRIBUTE = "target_session_attrs="


def writable(dsn: str) -> str:
    """The address, asking for the server that takes writes where it names several and does not say which."""
    # An address that cannot be read is told of by the driver, whose spelling it is.
    place, mark, query = dsn.partition("?")
    options = query.split("&")
    named = [one for one in options if one.startswith("host=")]
    hosts = [place.partition("://")[2].partition("/")[0], *named]
    is_told = any(one.startswith(ATTRIBUTE) for one in options) or "PGTARGETSESSIONATTRS" in os.environ
    if is_told or not any("," in one for one in hosts):
        return dsn
    return f"{dsn}{'&' if query else '' if mark else '?'}{ATTRIBUTE}read-write"
