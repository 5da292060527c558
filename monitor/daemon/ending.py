"""Ending the process although something hangs: what was committed is committed."""

from __future__ import annotations

import os
import threading

import structlog

from monitor.daemon.logs import Logs

LOG = structlog.get_logger("monitor")

_LOGS_WITHIN = 1.0
"""Seconds that a log which nobody reads may hold up the end."""


def end_by_force(logs: Logs) -> None:
    """End with exit 1 because a part did not, most likely the store."""
    LOG.error("stopped by force: something did not end in time")
    end_at_once(logs)


def end_at_once(logs: Logs) -> None:
    """End with exit 1, the last lines of the log written where somebody reads them."""
    unread = threading.Timer(_LOGS_WITHIN, os._exit, (1,))
    unread.daemon = True
    unread.start()
    logs.stop()
    os._exit(1)
