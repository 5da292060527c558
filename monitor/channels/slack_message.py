"""A notice as a message of Slack: a header, the lines as text, the links, and how things stand.

Slack's limits: a header has 150 characters, a section 3,000, a message 50 blocks. All blocks
together are refused from about 13,000 on, which no document says. What counts as one character is
not said either; it is counted as UTF-16 does, which is never less than what a reader sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypedDict

from monitor.channels import telling
from monitor.model import Action, IncidentState, Notice

HEADER = 150
SECTION = 3000
IN_ALL = 12_000
BLOCKS = 50
TEXT = 4000
"""How much of a notice is shown in notifications and read aloud."""

_LONGEST_LINE = 2900
_RUNBOOK = ("Runbook: http://", "Runbook: https://")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Posted(TypedDict):
    """What is to be seen; `text` is for where blocks are not shown."""

    text: str
    blocks: list[dict[str, Any]]


def message_of(notice: Notice, now: datetime) -> Posted:
    """A notice that leaves at `now`."""
    headline = telling.one_line(telling.headline(notice, now))
    first = f"{_signal(notice)} {headline}".strip()
    lines = [telling.one_line(line) for line in telling.prose(notice)]
    everything = "\n".join([first, *lines])
    return {"text": escaped(everything, TEXT), "blocks": [*_blocks(notice, first, lines)]}


def _signal(notice: Notice) -> str:
    """How the alert stands, at a glance."""
    incident = notice.message.incident
    if notice.action is Action.TELL:
        return ""
    if notice.action is Action.RESOLVE:
        return "\U0001f7e2"
    if incident is not None and incident.recovered is not None:
        return "\U0001f7e1"
    held = incident is not None and incident.state is IncidentState.ACKNOWLEDGED
    return "\U0001f7e0" if held or notice.action is Action.ACKNOWLEDGE else "\U0001f534"


def _blocks(notice: Notice, first: str, lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    header = escaped(first, HEADER)
    yield {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}}
    if header != escaped(first, SECTION):
        yield _section(f"*{escaped(first, SECTION - 2)}*")
    yield from map(_section, _packed([_marked_up(line) for line in telling.fitted(lines, _fits)]))
    links = [_link(name, link) for name, link in notice.message.links.items()]
    yield from map(_section, _packed(telling.fitted(links, _fits_one), "  "))


def _marked_up(line: str) -> str:
    """A line as it is to be read: errors in the very letters, the runbook as a link."""
    text = escaped(line, _LONGEST_LINE)
    if line.startswith("Error: ") and "`" not in line:
        return f"`{text}`"
    if line.startswith(_RUNBOOK):
        return f"Runbook: <{text.removeprefix('Runbook: ').replace('|', '%7C')}>"
    return text


def _link(name: str, link: str) -> str:
    address = telling.one_line(link).replace("|", "%7C")
    shown = escaped(telling.one_line(name).replace("|", "/"), HEADER)
    return f"<{escaped(address, _LONGEST_LINE - HEADER)}|{shown}>"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _fits(lines: Sequence[str]) -> bool:
    room = IN_ALL - HEADER - 2 * SECTION
    return size("\n".join(map(_marked_up, lines))) <= room


def _fits_one(lines: Sequence[str]) -> bool:
    return size("\n".join(lines)) <= SECTION


def _packed(lines: Sequence[str], between: str = "\n") -> list[str]:
    """The lines in as few texts as hold them."""
    texts: list[str] = []
    for line in lines:
        longer = f"{texts[-1]}{between}{line}" if texts else line
        if texts and size(longer) <= SECTION:
            texts[-1] = longer
        elif line:
            texts.append(line)
    return texts


def escaped(said: str, limit: int) -> str:
    """The text as Slack shows it as it is, cut by whole characters to at most `limit` escaped."""
    room = limit
    while True:
        text = telling.cut(said, room).translate(_ESCAPES)
        beyond = size(text) - limit
        if beyond <= 0:
            return text
        room -= -(-beyond // 5)


def size(text: str) -> int:
    """How many characters Slack may count at most."""
    return len(text.encode("utf-16-le", errors="replace")) // 2
