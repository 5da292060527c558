"""What a notice says, as text that fits where it goes.

A notice that leaves long after it was due says so, first of all: who reads it must not take it for
news. Texts are cut by whole characters, what a reader sees as one: no base letter loses its accent
and no emoji falls apart.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime

from monitor.model import Incident, Notice

LATE_AFTER = 120.0
"""Seconds after it was first due from which a notice says that it is late."""

_CUT = "\u2026"
_JOINER = "\u200d"


def first_due(notice: Notice) -> datetime:
    """When a notice was first due; its own `due_at` has moved on with the retries."""
    told = told_of(notice)
    if notice.held and told is not None:
        return max(notice.created_at, told.notify_at)
    return notice.created_at


def told_of(notice: Notice) -> Incident | None:
    """The incident a notice tells of, in whosever conversation; None of a digest."""
    return notice.message.about or notice.message.incident


def late_by(notice: Notice, now: datetime) -> float | None:
    """How many seconds after it was first due a notice leaves; None when that is in time."""
    late = (now - first_due(notice)).total_seconds()
    return late if late > LATE_AFTER else None


def headline(notice: Notice, now: datetime) -> str:
    """The first line, which stands alone."""
    late = late_by(notice, now)
    return f"{late_words(late)}{notice.message.headline}" if late else notice.message.headline


def late_words(seconds: float) -> str:
    """What stands before the first line of a notice that leaves late."""
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"[LATE by {hours} h {rest} min] " if hours else f"[LATE by {minutes} min] "


def lines(notice: Notice) -> tuple[str, ...]:
    """Everything after the first line."""
    return notice.message.lines


def text(notice: Notice, now: datetime) -> str:
    """All of it as plain text, the first line first."""
    return "\n".join((headline(notice, now), *lines(notice)))


def cut(said: str, limit: int) -> str:
    """`said` in at most `limit` code points, ending in an ellipsis where something is left out."""
    if len(said) <= limit:
        return said
    return said[: _whole(said, limit - len(_CUT))] + _CUT


def cut_bytes(said: str, limit: int) -> str:
    """As `cut`, in at most `limit` bytes of UTF-8."""
    encoded = said.encode(errors="replace")
    if len(encoded) <= limit:
        return said
    room = limit - len(_CUT.encode())
    return said[: _whole(said, len(encoded[:room].decode(errors="ignore")))] + _CUT


def cut_units(said: str, limit: int) -> str:
    """As `cut`, in at most `limit` UTF-16 units, which is how Java and JavaScript count."""
    encoded = said.encode("utf-16-le", errors="replace")
    if len(encoded) <= limit * 2:
        return said
    room = (limit - len(_CUT)) * 2
    return said[: _whole(said, len(encoded[:room].decode("utf-16-le", errors="ignore")))] + _CUT


def _whole(said: str, end: int) -> int:
    """The last place at or before `end` where no character is taken apart; 0 when there is none."""
    while end > 0 and (_continues(said[end]) or said[end - 1] == _JOINER):
        end -= 1
    return max(end, 0)


def _continues(character: str) -> bool:
    """Whether it belongs to the character before it: a mark, a joiner, a variation, a skin tone."""
    return (
        unicodedata.category(character) in {"Mn", "Me", "Mc"}
        or character == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )
