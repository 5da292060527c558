"""Microsoft Teams, by the URL of a workflow ("When a Teams webhook request is received").

The workflow answers 202 before it posts anything: accepted does not mean shown. A card that is too
large, a workflow whose owner has left, a channel that is gone: none of that is ever told to us. So
a channel of this kind is never the only one that reaches on call, and the card is kept well below
the limit. Teams measures it as the workflow writes it, as text within text, not as it was sent
(24,453 bytes sent were 28,897 there); it is measured here in the longest such way.

All text is in runs, which unlike text blocks know no Markdown: nothing that remote text says
becomes a link or calls anybody out. Each notice is a message of its own, and sent again it is there
twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.channels import http, telling
from monitor.channels.kind import Means
from monitor.model import Accepted, Action, Notice
from monitor.net.secret import Secret

LIMIT = 28_000
"""Bytes that a message may have where Teams measures it; it says 28 KB, and counts to 28,672."""

ACTIONS = 6
"""How many buttons Teams shows below a card; further links are text."""

_LONGEST_LINE = 1000
_LONGEST_LINK = 500
_HEADLINE = 500
_TITLE = 100


@dataclass(frozen=True, slots=True)
class TeamsOptions:
    """The URL of the workflow, by which anybody may post, and the seconds it has to answer."""

    workflow_url: Secret
    timeout: float = 10.0


async def send(notice: Notice, options: TeamsOptions, means: Means) -> Accepted:
    """Send a notice once. Raises `DeliveryError`."""
    answer = await http.ask(
        means.net,
        "POST",
        options.workflow_url.reveal(),
        timeout=options.timeout,
        headers={"Content-Type": "application/json; charset=utf-8"},
        body=_encoded(message_of(notice, means.net.clock.wall())),
    )
    return Accepted(http.name_in(answer.headers.get("x-ms-workflow-run-id")))


def message_of(notice: Notice, now: datetime) -> dict[str, Any]:
    """A notice that leaves at `now`, as a card that fits."""
    links = [each for each in notice.message.links.items() if _is_for_a_button(each[1])][:ACTIONS]
    buttons = {f"{name}: {link}" for name, link in links}
    said = [telling.one_line(line) for line in telling.complete(notice) if line not in buttons]
    short = [telling.cut(line, _LONGEST_LINE) for line in said]
    headline = telling.cut(telling.one_line(telling.headline(notice, now)), _HEADLINE)
    title = _run(headline, weight="Bolder", size="Medium", color=_color(notice))

    def card(lines: Sequence[str]) -> dict[str, Any]:
        return _message([title, *map(_run, lines)], [_button(*pair) for pair in links])

    return card(telling.fitted(short, lambda lines: measured(card(lines)) <= LIMIT))


def measured(message: dict[str, Any]) -> int:
    """The bytes of a message at the most: quoted once more, and every character in ASCII."""
    return len(json.dumps(json.dumps(message)))


def _message(body: list[dict[str, Any]], buttons: list[dict[str, Any]]) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": buttons,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    attachment = {"contentType": kind, "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _run(text: str, **how: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text or " ", **how}]}


def _is_for_a_button(link: str) -> bool:
    return http.link_in(link) is not None and len(link) <= _LONGEST_LINK


def _button(name: str, link: str) -> dict[str, Any]:
    title = telling.cut(telling.one_line(name), _TITLE)
    return {"type": "Action.OpenUrl", "title": title, "url": link}


def _color(notice: Notice) -> str:
    """How the alert stands, at a glance."""
    incident = notice.message.incident
    if notice.action is Action.TELL:
        return "Default"
    if notice.action is Action.RESOLVE:
        return "Good"
    held = incident is not None and incident.acknowledged_by is not None
    recovered = incident is not None and incident.recovered is not None
    return "Warning" if held or recovered else "Attention"


def _encoded(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
