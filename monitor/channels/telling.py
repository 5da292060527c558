"""What a notice says, as text that fits where it goes.

A notice that leaves long after it was due says so, first of all: who reads it must not take it for
news. Texts are cut by whole characters, what a reader sees as one: no base letter loses its accent
and no emoji falls apart. Where not all lines fit, those least needed at 3 a.m. are left out first:
what the incident's page also shows, and of the errors all but the first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from monitor.model import Notice

LATE_AFTER = 120.0
"""Seconds after it was first due from which a notice says that it is late."""

_CUT = "\u2026"
_JOINER = "\u200d"
_ERROR = "Error: "
_NEEDED = (
    "Respond by ",
    "Affected: ",
    "Began: ",
    "How we know: ",
    "Also told of here: ",
    "Runbook: ",
)
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def late_by(notice: Notice, now: datetime) -> float | None:
    """How many seconds after it was first due a notice leaves; None when that is in time."""
    late = (now - notice.first_due).total_seconds()
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


def prose(notice: Notice) -> tuple[str, ...]:
    """The lines without those that are only a link, for where links are shown in their own way."""
    links = set(_link_lines(notice))
    return tuple(line for line in lines(notice) if line not in links)


def complete(notice: Notice) -> tuple[str, ...]:
    """The lines, with every link among them, for where a link is text."""
    return (*prose(notice), *_link_lines(notice))


def _link_lines(notice: Notice) -> tuple[str, ...]:
    return tuple(f"{name}: {link}" for name, link in notice.message.links.items())


def one_line(said: str) -> str:
    """`said` without what is no character to read: breaks, controls, half of a surrogate pair."""
    return "".join("?" if _unreadable(each) else each for each in said)


def _unreadable(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in {"Cc", "Cs", "Zl", "Zp"} or character in _REORDERING


def fitted(said: Sequence[str], fits: Callable[[Sequence[str]], bool]) -> tuple[str, ...]:
    """As many of the lines as fit, in their order; a last one says how many were left out."""
    errors = [at for at, line in enumerate(said) if line.startswith(_ERROR)]
    needed = {0, *errors[:1]}
    order = sorted(range(len(said)), key=lambda at: (at not in needed, _rank(said[at]), at))
    low, high = 0, len(said)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(_only(said, order[:middle])):
            low = middle
        else:
            high = middle - 1
    return _only(said, order[:low])


def _rank(line: str) -> int:
    """How soon a line may be left out, the lowest last."""
    if line.startswith(_NEEDED):
        return 0
    return 2 if line.startswith(_ERROR) else 1


def _only(said: Sequence[str], places: Sequence[int]) -> tuple[str, ...]:
    kept = tuple(said[at] for at in sorted(places))
    missing = len(said) - len(kept)
    more = f"{_CUT} and {missing} more line{'s' if missing > 1 else ''}"
    return (*kept, more) if missing else kept


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


def instant(at: datetime) -> str:
    """An instant in UTC to the millisecond, as RFC 3339 writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
