"""Structured logs through a bounded queue: logging never holds up probing.

Lines are JSON on standard error, written by a thread of their own. When the queue is full a line
is dropped and counted.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys

import structlog

_LINES_KEPT = 10_000


class _DroppingQueueHandler(logging.handlers.QueueHandler):
    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class Logs:
    """The process's logs, from `start` to `stop`."""

    def __init__(self, level: str = "INFO") -> None:
        self._queue = _DroppingQueueHandler(queue.Queue(_LINES_KEPT))
        out = logging.StreamHandler(sys.stderr)
        out.setFormatter(logging.Formatter("%(message)s"))
        self._listener = logging.handlers.QueueListener(self._queue.queue, out)
        self._level = level

    def start(self) -> None:
        """Take over the root logger and structlog."""
        root = logging.getLogger()
        root.handlers[:] = [self._queue]
        root.setLevel(self._level)
        for quiet in ("apscheduler", "httpx", "uvicorn", "alembic", "asyncio"):
            logging.getLogger(quiet).setLevel("WARNING")
        structlog.configure(
            processors=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        self._listener.start()

    @property
    def dropped(self) -> int:
        """Lines dropped because the queue was full."""
        return self._queue.dropped

    def stop(self) -> None:
        """Write what is queued and end the thread."""
        self._listener.stop()
