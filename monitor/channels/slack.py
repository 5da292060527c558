"""Slack: by an incoming webhook, or better by a bot.

A webhook only ever posts: no thread, no change, and a notice sent again is there twice. A bot posts
the first notice of an alert as a message of the channel, which is changed by every later one to
show how things stand, and posts these into its thread; a further trigger is shown in the channel
too. What is about no alert is a message of its own.

Slack knows no idempotency. A bot puts the notice's key into the metadata of its message, and where
an earlier attempt may have arrived it looks for that first, in the thread or since the notice was
written. The order of a send makes the rest safe: the first message is changed, which may be done
twice, and then the notice is posted, which is the last thing. Where Slack does not take the blocks
of a message, it is posted without them: a notice is not lost for its looks.

Errors of the Web API come with status 200. Those named in PERMANENT stay what they are until a
person changes something; all others may pass, as do those that Slack adds to its list one day. What
a webhook answers is told by its status, as `http.py` has it. Nothing that remote text says can name
a person or a group: `&`, `<` and `>` are escaped, and text is never parsed for names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx

from monitor.channels import http
from monitor.channels.kind import Means
from monitor.channels.slack_message import Posted, message_of
from monitor.model import Accepted, Action, DeliveryError, Notice
from monitor.net.network import Net
from monitor.net.secret import Secret

PERMANENT = frozenset(
    {
        "access_denied",
        "account_inactive",
        "as_user_not_supported",
        "cannot_reply_to_message",
        "cant_update_message",
        "channel_is_frozen",
        "channel_not_found",
        "channel_type_not_supported",
        "edit_window_closed",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_auth",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_form_data",
        "invalid_json",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_post_type",
        "invalid_ts_latest",
        "invalid_ts_oldest",
        "is_archived",
        "is_inactive",
        "json_not_object",
        "message_not_found",
        "metadata_too_large",
        "method_deprecated",
        "missing_post_type",
        "missing_scope",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_permission",
        "no_text",
        "not_allowed_token_type",
        "not_authed",
        "not_in_channel",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "team_access_not_granted",
        "thread_not_found",
        "token_expired",
        "token_revoked",
        "too_many_attachments",
        "two_factor_setup_required",
    }
)
"""Errors of the Web API that trying again cannot help."""

_NO_THREAD = frozenset(
    {
        "cannot_reply_to_message",
        "message_not_found",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    }
)
"""Errors that are about the thread alone: the channel may still take the message."""

_ABOUT_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})

_TS = re.compile(r"[0-9]{1,12}\.[0-9]{6}")
_CHANNEL = re.compile(r"[CGD][A-Z0-9]{8,}")
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_METADATA = "monitor_notice"
_CLOCKS_APART = timedelta(minutes=10)
_PAGE = 200
_PAGES = 5


@dataclass(frozen=True, slots=True)
class SlackOptions:
    """Either a webhook, or a bot's token and the id of its channel. Raises ValueError.

    timeout: the seconds Slack has for each answer; a bot may need two, and to look for what an
        earlier attempt left a few more.
    """

    webhook_url: Secret | None = None
    token: Secret | None = None
    channel: str = ""
    api_url: str = "https://slack.com/api"
    timeout: float = 10.0

    def __post_init__(self) -> None:
        found = []
        if (self.webhook_url is None) == (self.token is None):
            found.append("give one of webhook_url, and token with channel")
        elif self.token is None and self.channel:
            found.append("channel: belongs to a token: a webhook has its own channel, remove it")
        elif self.token is not None and not _CHANNEL.fullmatch(self.channel):
            found.append("channel: is no id of a channel: write the one its details in Slack show")
        if found:
            raise ValueError("; ".join(found))


class _SlackError(DeliveryError):
    """An answer of the Web API that is no success; `code` is Slack's own word for it."""

    def __init__(self, code: str, *, retry_after: float | None) -> None:
        super().__init__(
            f"Slack answered {code}", permanent=code in PERMANENT, retry_after=retry_after
        )
        self.code = code


async def send(notice: Notice, options: SlackOptions, means: Means) -> Accepted:
    """Send a notice once. Raises `DeliveryError`."""
    now = means.net.clock.wall()
    if options.webhook_url is not None:
        return await _posted_by_webhook(notice, options, options.webhook_url, means.net, now)
    bot = _Bot(options, means.net)
    root = _root(notice, means.known)
    if notice.attempts > 1:
        there = await _found(bot, notice, root)
        if there is not None:
            return Accepted(there)
    if root is None:
        return Accepted(await bot.post(notice, message_of(notice, now)))
    return Accepted(await _posted_into_thread(bot, notice, root, now))


def _root(notice: Notice, known: Accepted | None) -> str | None:
    """The first message of the alert; None where there is none, or another receiver has it."""
    if notice.action is Action.TELL or known is None or known.remote_id is None:
        return None
    return known.remote_id if _TS.fullmatch(known.remote_id) else None


async def _posted_by_webhook(
    notice: Notice, options: SlackOptions, url: Secret, net: Net, now: datetime
) -> Accepted:
    said = {**message_of(notice, now), "unfurl_links": False, "link_names": False}
    answer = await _asked_by_webhook(said, options, url, net)
    if not answer.is_success and answer.text.strip() in _ABOUT_BLOCKS:
        answer = await _asked_by_webhook(_without_blocks(said), options, url, net)
    if not answer.is_success:
        raise http.refusal(answer, net)
    return Accepted()


async def _asked_by_webhook(
    said: Mapping[str, Any], options: SlackOptions, url: Secret, net: Net
) -> httpx.Response:
    """The answer of a webhook, also where it is 400. Raises DeliveryError."""
    return await http.ask(
        net,
        "POST",
        url.reveal(),
        timeout=options.timeout,
        headers=_JSON,
        body=json.dumps(said).encode(),
        answers={HTTPStatus.BAD_REQUEST},
    )


def _without_blocks(said: Mapping[str, Any]) -> dict[str, Any]:
    """A message of text only; one that is changed loses the blocks it had."""
    text_only = {key: value for key, value in said.items() if key != "blocks"}
    return {**text_only, "blocks": []} if "ts" in said else text_only


async def _posted_into_thread(bot: _Bot, notice: Notice, root: str, now: datetime) -> str | None:
    try:
        await bot.change(root, message_of(notice, now))
    except DeliveryError as error:
        if not error.permanent:
            raise
        # The message is gone or may not be changed any more: the notice itself is still owed.
    seen_by_all = notice.action is Action.TRIGGER
    try:
        return await bot.post(notice, message_of(notice, now), root, seen_by_all=seen_by_all)
    except _SlackError as error:
        if error.code not in _NO_THREAD:
            raise
    return await bot.post(notice, message_of(notice, now))


async def _found(bot: _Bot, notice: Notice, root: str | None) -> str | None:
    """What Slack calls the notice where an earlier attempt left it; None when it is not there."""
    since = (notice.created_at - _CLOCKS_APART).timestamp()
    places = {"conversations.history": {"oldest": f"{since:.6f}"}}
    if root is not None:
        places = {"conversations.replies": {"ts": root}, **places}
    for method, where in places.items():
        try:
            there = await bot.find(notice, method, where)
        except DeliveryError as error:
            if not error.permanent:
                raise
            # We may not look. Saying it twice is better than not at all.
            continue
        if there is not None:
            return there
    return None


@dataclass(frozen=True, slots=True)
class _Bot:
    """What a bot does in its channel. Everything raises DeliveryError."""

    options: SlackOptions
    net: Net

    async def post(
        self,
        notice: Notice,
        message: Posted,
        thread: str | None = None,
        *,
        seen_by_all: bool = False,
    ) -> str | None:
        """Post a message, into a thread if one is named, and return what Slack calls it."""
        said: dict[str, Any] = {
            "channel": self.options.channel,
            **message,
            "metadata": {"event_type": _METADATA, "event_payload": {"key": notice.key}},
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread is not None:
            said |= {"thread_ts": thread, "reply_broadcast": seen_by_all}
        return http.name_in((await self._say("chat.postMessage", said)).get("ts"))

    async def change(self, ts: str, message: Posted) -> None:
        """Put a message in place of one of ours."""
        said = {"channel": self.options.channel, "ts": ts, **message, "parse": "none"}
        await self._say("chat.update", {**said, "link_names": False})

    async def find(self, notice: Notice, method: str, where: Mapping[str, str]) -> str | None:
        """What Slack calls a notice among the messages of a channel or thread, None: not there."""
        asked = {
            "channel": self.options.channel,
            "limit": str(_PAGE),
            "include_all_metadata": "true",
            **where,
        }
        for _ in range(_PAGES):
            answer = await self._call(method, asked=asked)
            for message in _list(answer.get("messages")):
                if _key(message) == notice.key:
                    return http.name_in(message.get("ts"))
            cursor = _dict(answer.get("response_metadata")).get("next_cursor")
            if not isinstance(cursor, str) or not cursor:
                break
            asked = {**asked, "cursor": cursor}
        return None

    async def _say(self, method: str, said: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._call(method, said)
        except _SlackError as error:
            if error.code not in _ABOUT_BLOCKS:
                raise
        return await self._call(method, _without_blocks(said))

    async def _call(
        self,
        method: str,
        said: Mapping[str, Any] | None = None,
        asked: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        token = self.options.token
        headers = {"Authorization": f"Bearer {token.reveal() if token else ''}"}
        if said is not None:
            headers |= _JSON
        answer = await http.ask(
            self.net,
            "GET" if said is None else "POST",
            f"{self.options.api_url.rstrip('/')}/{method}",
            timeout=self.options.timeout,
            headers=headers,
            params=asked,
            body=None if said is None else json.dumps(said).encode(),
        )
        told = http.json_object(answer)
        if told.get("ok") is not True:
            wish = http.refusal(answer, self.net).retry_after
            raise _SlackError(_code(told, self.net), retry_after=wish)
        return told


def _code(told: Mapping[str, Any], net: Net) -> str:
    """Slack's word for an error, as it may be shown."""
    said = told.get("error")
    known = isinstance(said, str) and re.fullmatch(r"[a-z0-9_]{1,60}", said)
    return net.redactor.text(str(said)) if known else "what is no answer of its API"


def _key(message: Mapping[str, Any]) -> object:
    metadata = _dict(message.get("metadata"))
    own = metadata.get("event_type") == _METADATA
    return _dict(metadata.get("event_payload")).get("key") if own else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
