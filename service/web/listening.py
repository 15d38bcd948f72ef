"""Listens for connections, and answers also what is not HTTP with a problem document."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import structlog
from aiohttp import web

from service.web.refusals import problem

logger = structlog.get_logger()


class PortRefused(Exception):
    """The system does not give us the address; the message says which and why."""


async def listen(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Opens the port for a runner that has been set up; to be closed before the runner is cleaned up.

    Raises PortRefused.
    """
    loop = asyncio.get_running_loop()
    handlers = runner.server
    assert handlers is not None, "the runner has not been set up"

    def connection() -> HttpConnection:
        # None switches the server's own access log off; its type does not say so.
        return HttpConnection(handlers, loop=loop, access_log=None)  # type: ignore[arg-type]

    try:
        return await loop.create_server(connection, host, port, reuse_address=True)
    except OSError as error:
        raise PortRefused(f"cannot listen on {host} port {port}: {error.strerror}") from error


class HttpConnection(web.RequestHandler):
    """One connection; only what happens before a request exists differs from the server's own."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The parser's words stay in the log, for they repeat what was sent; the connection is closed."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun and cannot become a refusal")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("unforeseen_error", exc_info=exc)
            code, detail = "INTERNAL_ERROR", "An unexpected error occurred."
        else:
            logger.warning("unreadable_request", reason=type(exc).__name__)
            code, detail = "HTTP_UNREADABLE", "HTTP_UNREADABLE: the request is not well-formed HTTP"
        answer = problem(request, HTTPStatus(status), code=code, detail=detail)
        answer.force_close()
        return answer
