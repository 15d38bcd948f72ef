"""Sockets bound to an address: for one process, or shared by several."""

from __future__ import annotations

import asyncio
import socket
from typing import Any


class PortRefused(Exception):
    """The system does not give us the address; the message says which and why."""


async def reserve(host: str, port: int) -> socket.socket:
    """Keeps an address for several processes that share it, without listening; port 0 takes a free one.

    Raises PortRefused, also when another process listens there that would share it.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = found[0]
        # A socket that would share the port gets it beside a server of somebody else.
        bound(family, address).close()
        return bound(family, address, shared=True)
    except OSError as error:
        raise PortRefused(f"cannot listen on {host} port {port}: {error.strerror}") from error


def bound(family: int, address: Any, *, shared: bool = False) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        if shared:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, True)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one
