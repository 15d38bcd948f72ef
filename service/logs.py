"""Structured logs: one JSON object a line on standard error, never a payload."""

from __future__ import annotations

import logging
import sys

import msgspec
import structlog


def set_up(level: str) -> None:
    encoder = msgspec.json.Encoder(enc_hook=str)

    def render(_: object, __: str, event: structlog.typing.EventDict) -> bytes:
        return encoder.encode(event)

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=level, stream=sys.stderr, format='{"event":"library","text":"%(message)s"}')
