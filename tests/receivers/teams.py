"""A workflow of Teams on loopback: it takes cards of version 1.2, and is strict about them.

A real one answers 202 to anything and fails later, unseen; this one answers 400 with what is wrong,
so that no test passes with a card that would not be shown.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.http_server import Reply, Request, http_server

PATH = "/workflows/0123/triggers/manual/paths/invoke"
QUERY = "?api-version=1&sig=a-signature-that-is-secret"
HANG = Reply(hang=True)

MOST_BYTES = 28 * 1024
"""What Teams counts to (`MessageSizeExceeded`), once the workflow has written the card as text."""

_COLORS = {"Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"}
_RUN = {
    "type": {"TextRun"}.__contains__,
    "text": lambda text: isinstance(text, str) and text != "",
    "weight": {"Lighter", "Default", "Bolder"}.__contains__,
    "size": {"Small", "Default", "Medium", "Large", "ExtraLarge"}.__contains__,
    "color": _COLORS.__contains__,
}
_ACTION = {
    "type": {"Action.OpenUrl"}.__contains__,
    "title": lambda text: isinstance(text, str) and text != "",
    "url": lambda url: url.startswith(("http://", "https://")),
}


@dataclass
class Workflow:
    """Gives `answers` in turn, then 202 for ever; `cards` are those that it took."""

    answers: list[Reply] = field(default_factory=list)
    cards: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def receive(self, request: Request) -> Reply:
        if self.answers:
            return self.answers.pop(0)
        found = flaw_of_request(request)
        if found is not None:
            return Reply(
                400, json.dumps({"error": {"code": "BadRequest", "message": found}}).encode()
            )
        self.bodies.append(request.body)
        self.cards.append(json.loads(request.body)["attachments"][0]["content"])
        return Reply(202, headers=(("x-ms-workflow-run-id", f"run-{len(self.cards)}"),))


def flaw_of_request(request: Request) -> str | None:
    if request.method != "POST" or not request.path.endswith(QUERY):
        return "not the trigger's URL"
    if request.header("content-type") != "application/json; charset=utf-8":
        return "not JSON in UTF-8"
    return flaw(json.loads(request.body))


def flaw(message: dict[str, Any]) -> str | None:
    """Why a message would not be shown; None when it would."""
    if set(message) != {"type", "attachments"} or message["type"] != "message":
        return "no message"
    (attachment,) = message["attachments"]
    if set(attachment) != {"contentType", "contentUrl", "content"}:
        return "no attachment"
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        return "no card"
    if len(json.dumps(json.dumps(message))) > MOST_BYTES:
        return "MessageSizeExceeded"
    return _flaw_of_card(attachment["content"])


def _flaw_of_card(card: dict[str, Any]) -> str | None:
    if set(card) != {"$schema", "type", "version", "msteams", "body", "actions"}:
        return f"keys of a card: {sorted(card)}"
    if (card["type"], card["version"]) != ("AdaptiveCard", "1.2"):
        return "not a card of version 1.2"
    if len(card["actions"]) > 6 or not all(_holds(_ACTION, each, 3) for each in card["actions"]):
        return "actions"
    for block in card["body"]:
        if set(block) != {"type", "inlines"} or block["type"] != "RichTextBlock":
            return f"element {block}"
        if not block["inlines"] or not all(_holds(_RUN, run, 2) for run in block["inlines"]):
            return f"inlines {block}"
    return None if card["body"] else "nothing to be seen"


def _holds(rules: dict[str, Callable[[Any], bool]], said: dict[str, Any], least: int) -> bool:
    known = set(said) <= set(rules) and {*list(rules)[:least]} <= set(said)
    return known and all(rules[key](value) for key, value in said.items())


def texts(card: dict[str, Any]) -> list[str]:
    """What is to be read on a card, a line a block."""
    return ["".join(run["text"] for run in block["inlines"]) for block in card["body"]]


@asynccontextmanager
async def teams_workflow(*answers: Reply) -> AsyncIterator[Workflow]:
    """Receive at `url` until the block ends."""
    workflow = Workflow(list(answers))
    async with http_server({PATH: workflow.receive}) as server:
        workflow.url = server.url(PATH + QUERY)
        yield workflow
