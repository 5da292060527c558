"""How each answer of a world looks on the wire, and what the monitor is told to expect.

Only what a server can do is here: a page, a reset, or silence. A refused connection is a closed
socket (`estate`), an expired certificate and a name that is gone are shown before any request.
"""

from enum import Enum
from http import HTTPStatus
from typing import NamedTuple

from bench.detection.world import Answer
from monitor.model import FailureKind, Outcome

WELCOME = "Signed in: here is your dashboard"
SIGN_IN_AGAIN = "Please sign in"
MAINTENANCE = "We are down for maintenance"
OUTAGE = "Our service is not available at the moment"
TURNED_AWAY = "You may not see this"
FAILED = "Something went wrong"

OUTAGE_IS_403 = "20b"
"""The family whose error page comes with the status that otherwise means us alone."""


class Ending(Enum):
    """An end of a connection without a page."""

    RESET = "reset"
    SILENCE = "silence"


class Page(NamedTuple):
    """A page with its status."""

    status: int
    body: str

    @property
    def encoded(self) -> bytes:
        """The whole answer, after which the connection is closed."""
        body = self.body.encode()
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
            f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + body


_PAGES = {
    FailureKind.STATUS: Page(503, FAILED),
    FailureKind.BODY: Page(200, SIGN_IN_AGAIN),
    FailureKind.MAINTENANCE_PAGE: Page(200, MAINTENANCE),
    FailureKind.TIMEOUT: Ending.SILENCE,
}


def spoken(answer: Answer, family: str) -> Page | Ending:
    """What a server does so that the monitor sees this answer, `answer.seconds` after accepting.

    What a server cannot do once it has accepted (refuse, be nameless, have another certificate) is
    a reset.
    """
    if answer.outcome is Outcome.PASS:
        return Page(200, WELCOME)
    if answer.outcome is Outcome.BLOCKED:
        return Page(403, TURNED_AWAY)
    if answer.outcome is Outcome.MAINTENANCE:
        return Page(503, FAILED)
    if answer.kind is FailureKind.STATUS and family == OUTAGE_IS_403:
        return Page(403, OUTAGE)
    return _PAGES.get(answer.kind, Ending.RESET)
