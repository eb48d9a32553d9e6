"""What aiohttp says about broken requests: strangers must not be able to fill the log with tracebacks."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EofStream
from aiohttp.web_protocol import PayloadAccessError

LOGGER = "nopea.web.http"
_BROKEN = (HttpProcessingError, web.RequestPayloadError, PayloadAccessError, EofStream, ConnectionError)


class _OnlyBugs(logging.Filter):
    """Lets through what a handler of ours did wrong, at its level; broken requests were answered with 400."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is worth a line."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return not isinstance(error, _BROKEN)


def quiet_logger() -> logging.Logger:
    """Return the logger for aiohttp's server."""
    logger = logging.getLogger(LOGGER)
    if not any(isinstance(one, _OnlyBugs) for one in logger.filters):
        logger.addFilter(_OnlyBugs())
    return logger
