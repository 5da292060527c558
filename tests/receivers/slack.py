"""Slack on loopback: an incoming webhook and the methods of the Web API that we use.

It refuses what Slack refuses: a wrong token or content type, unknown arguments, texts and blocks
beyond their limits, metadata that is none. Messages are kept as a channel keeps them, with threads
and changes. An answer by script comes first: `answers` are by method, each used once; `LOST` does
what was asked and then answers nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.http_server import Reply, Request, http_server

TOKEN = "xoxb-a-bot-token"
CHANNEL = "C0123456789"
HOOK = "/services/T0/B0/a-hook-secret"
HANG = Reply(hang=True)
LOST = Reply(raw=b"")

_COMMON = {"channel", "text", "blocks", "metadata", "parse", "link_names"}
_ARGUMENTS = {
    "chat.postMessage": _COMMON | {"thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media"},
    "chat.update": _COMMON | {"ts"},
    "conversations.history": {"channel", "oldest", "latest", "limit", "cursor", "inclusive"}
    | {"include_all_metadata"},
    "conversations.replies": {"channel", "ts", "oldest", "latest", "limit", "cursor", "inclusive"}
    | {"include_all_metadata"},
}
_HOOK_ARGUMENTS = {"text", "blocks", "unfurl_links", "unfurl_media", "link_names"}
_SPECIAL = re.compile(r"<([^<>]*)>")
_LINK = re.compile(r"https?://[^|<>\s]+(\|[^<>|]+)?")
_BARE = re.compile(r"&(?!amp;|lt;|gt;)")


class Refused(Exception):  # noqa: N818 - it is what the request is
    """Slack's word for what is wrong."""


@dataclass
class Message:
    """`replies` are those of its thread; `broadcast`: a reply that the channel shows too."""

    ts: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any] | None = None
    broadcast: bool = False
    replies: list[Message] = field(default_factory=list)

    @property
    def header(self) -> str:
        return self.blocks[0]["text"]["text"]

    @property
    def sections(self) -> str:
        return "\n".join(block["text"]["text"] for block in self.blocks[1:])

    def shown(self, *, with_metadata: bool) -> dict[str, Any]:
        made = {"type": "message", "ts": self.ts, "text": self.text, "blocks": self.blocks}
        if with_metadata and self.metadata is not None:
            made["metadata"] = self.metadata
        return made


@dataclass
class Slack:
    """`messages` are those of the one channel; `calls` the methods that were called, in order."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    answers: dict[str, list[Reply]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    pages_of: int = 1000
    may_look: bool = True
    takes_blocks: bool = True

    @property
    def hook(self) -> str:
        return f"{self.url}{HOOK}"

    @property
    def api(self) -> str:
        return f"{self.url}/api"

    def receive_hook(self, request: Request) -> Reply:
        self.calls.append("webhook")
        script = self._script("webhook")
        if script is not None and script is not LOST:
            return script
        try:
            self._post_by_hook(request)
        except Refused as refused:
            return Reply(400, str(refused).encode())
        return script or Reply(200, b"ok")

    def _post_by_hook(self, request: Request) -> None:
        if request.method != "POST" or not _is_json(request):
            raise Refused("invalid_payload")
        said = json.loads(request.body)
        if set(said) - _HOOK_ARGUMENTS:
            raise Refused("invalid_payload")
        self._keep(said, self.messages)

    def receive(self, request: Request) -> Reply:
        method = urlsplit(request.path).path.removeprefix("/api/")
        self.calls.append(method)
        script = self._script(method)
        if script is not None and script is not LOST:
            return script
        try:
            answer = {"ok": True, **self._done(method, request)}
        except Refused as refused:
            answer = {"ok": False, "error": str(refused)}
        return script or Reply(200, json.dumps(answer).encode())

    def _script(self, method: str) -> Reply | None:
        waiting = self.answers.get(method)
        return waiting.pop(0) if waiting else None

    def _done(self, method: str, request: Request) -> dict[str, Any]:
        sent = request.header("authorization")
        if sent is None:
            raise Refused("not_authed")
        if sent != f"Bearer {TOKEN}":
            raise Refused("invalid_auth")
        reads = method.startswith("conversations.")
        said = dict(parse_qsl(urlsplit(request.path).query)) if reads else self._said(request)
        if set(said) - _ARGUMENTS[method]:
            raise Refused("invalid_arguments")
        if said.get("channel") != CHANNEL:
            raise Refused("channel_not_found")
        return {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }[method](said)

    def _said(self, request: Request) -> dict[str, Any]:
        if request.method != "POST" or not _is_json(request):
            raise Refused("invalid_form_data")
        return json.loads(request.body)

    def _post(self, said: dict[str, Any]) -> dict[str, Any]:
        # A reply to what is not there is shown in the channel, as Slack does it.
        root = self.message(said["thread_ts"]) if "thread_ts" in said else None
        message = self._keep(said, self.messages if root is None else root.replies)
        return {"channel": CHANNEL, "ts": message.ts, "message": message.shown(with_metadata=False)}

    def _update(self, said: dict[str, Any]) -> dict[str, Any]:
        message = self.message(said["ts"])
        if message is None:
            raise Refused("message_not_found")
        check(said)
        self._refuse_blocks(said)
        message.text, message.blocks = said["text"], said["blocks"]
        return {"channel": CHANNEL, "ts": message.ts, "text": message.text}

    def _history(self, asked: dict[str, str]) -> dict[str, Any]:
        if not self.may_look:
            raise Refused("missing_scope")
        since = float(asked.get("oldest", "0"))
        return self._page([m for m in self.messages[::-1] if float(m.ts) > since], asked)

    def _replies(self, asked: dict[str, str]) -> dict[str, Any]:
        if not self.may_look:
            raise Refused("missing_scope")
        root = self.message(asked["ts"])
        if root is None:
            raise Refused("thread_not_found")
        return self._page([root, *root.replies], asked)

    def _page(self, messages: list[Message], asked: dict[str, str]) -> dict[str, Any]:
        begin = int(asked.get("cursor", "0"))
        end = begin + min(int(asked["limit"]), self.pages_of)
        full = asked.get("include_all_metadata") == "true"
        shown = [m.shown(with_metadata=full) for m in messages[begin:end]]
        more = str(end) if end < len(messages) else ""
        return {"messages": shown, "response_metadata": {"next_cursor": more}}

    def _refuse_blocks(self, said: dict[str, Any]) -> None:
        if said.get("blocks") and not self.takes_blocks:
            raise Refused("invalid_blocks")

    def message(self, ts: str) -> Message | None:
        return next((each for each in self.messages if each.ts == ts), None)

    def _keep(self, said: dict[str, Any], where: list[Message]) -> Message:
        check(said)
        self._refuse_blocks(said)
        count = sum(1 + len(each.replies) for each in self.messages)
        message = Message(
            f"1906679640.{count + 1:06}",
            said.get("text", ""),
            said.get("blocks", []),
            said.get("metadata"),
            said.get("reply_broadcast", False),
        )
        where.append(message)
        return message


def _is_json(request: Request) -> bool:
    return request.header("content-type") in {"application/json", "application/json; charset=utf-8"}


def check(said: dict[str, Any]) -> None:
    """Raise what Slack says of a message that it does not take."""
    text, blocks = said.get("text", ""), said.get("blocks", [])
    if not text and not blocks:
        raise Refused("no_text")
    if _units(text) > 40_000:
        raise Refused("msg_too_long")
    if len(blocks) > 50 or not all(map(_is_block, blocks)):
        raise Refused("invalid_blocks")
    if sum(_units(block["text"]["text"]) for block in blocks) > 13_000:
        raise Refused("msg_blocks_too_long")
    metadata = said.get("metadata", {"event_type": "none", "event_payload": {}})
    if set(metadata) != {"event_type", "event_payload"}:
        raise Refused("invalid_metadata_format")
    if not all(isinstance(each, str | int) for each in metadata["event_payload"].values()):
        raise Refused("invalid_metadata_schema")


def _is_block(block: dict[str, Any]) -> bool:
    text = block.get("text", {})
    if set(block) != {"type", "text"} or not text.get("text"):
        return False
    if block["type"] == "header":
        known = set(text) <= {"type", "text", "emoji"} and text["type"] == "plain_text"
        return known and _units(text["text"]) <= 150
    if block["type"] == "section":
        known = set(text) <= {"type", "text", "verbatim"} and text["type"] == "mrkdwn"
        return known and _units(text["text"]) <= 3000
    return False


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def called_out(message: Message) -> list[str]:
    """What a message names that is no link: people, groups, channels, or what is not escaped."""
    texts = _texts(message)
    special = [each for text in texts for each in _SPECIAL.findall(text)]
    bare = [each for text in texts for each in _BARE.findall(text)]
    halves = [c for text in texts for c in _SPECIAL.sub("", text) if c in "<>"]
    return [each for each in special if not _LINK.fullmatch(each)] + bare + halves


def links_of(message: Message) -> list[str]:
    """Where a message leads."""
    special = [each for text in _texts(message) for each in _SPECIAL.findall(text)]
    return [each.partition("|")[0] for each in special if _LINK.fullmatch(each)]


def _texts(message: Message) -> list[str]:
    return [message.text, *(block["text"]["text"] for block in message.blocks)]


@asynccontextmanager
async def slack_receiver(**answers: list[Reply]) -> AsyncIterator[Slack]:
    """Receive until the block ends. `answers` are by method, with _ in place of the full stop."""
    scripted = {method.replace("_", "."): list(replies) for method, replies in answers.items()}
    slack = Slack(answers=scripted)
    paths = {f"/api/{method}": slack.receive for method in _ARGUMENTS}
    async with http_server({HOOK: slack.receive_hook, **paths}) as server:
        slack.url = server.url("").rstrip("/")
        yield slack
