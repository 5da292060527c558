"""Issues of a GitHub repository, by its REST API.

The body of an issue begins with the mark of the alert and every text with the mark of its notice,
each in an HTML comment on a line of its own, which readers do not see. `ticket.py` says how the two
keep a notice from being written twice.

An issue is found by listing the repository's issues, newest first, back to when the alert can have
begun. The search interface lags behind and has a stricter limit of its own; a label would narrow
the list, but GitHub drops labels without a word where the token may not set them. The list may lag
too, if seldom: an attempt that finds nothing waits SETTLE_SECONDS, as `ticket.py` says.

What the notice says stands in a fenced block of code, whose fence is longer than any in the text:
nothing in it mentions anybody, refers to an issue, links or ends the block. Only our own links
stand outside.

GitHub says 403 both for "never" and for "not now". It is the latter where the answer carries a
Retry-After, tells that nothing remains of a limit, or speaks of a rate limit.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from monitor.channels import http, telling
from monitor.channels.kind import Means
from monitor.channels.ticket import Tracker, alert_mark, clean, filed, notice_mark, one_line
from monitor.model import Accepted, Action, DeliveryError, Notice
from monitor.net.secret import Secret

SETTLE_SECONDS = 30.0
"""How long the list is given to show an issue that may just have been made."""

TITLE_CHARS = 256
TEXT_BYTES = 60_000
"""Leaves room in the 65,536 characters of a body for the marks, the fences and the links."""

FENCE_CHARS = 1_000
"""Beyond this many backticks in a row they are told as apostrophes."""

_API_VERSION = "2022-11-28"
_MARGIN = timedelta(hours=1)
_UNDATED = timedelta(days=7)
_SECONDARY_SECONDS = 60.0
_PAGE = 100
_PAGES = 20
_LIMITED = (403, 429)
_WORD_JOINER = "\u2060"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True)
class GithubOptions:
    """The repository as `owner/name`, the token that may write its issues, and its labels.

    `labels` are put on new issues and `acknowledge_label` on acknowledged ones. `url` is where the
    API is, which another than the public one has elsewhere. `timeout` is the seconds that each
    request may take.
    """

    repository: str
    token: Secret
    labels: tuple[str, ...] = ()
    acknowledge_label: str | None = None
    url: str = "https://api.github.com"
    timeout: float = 10.0

    def __post_init__(self) -> None:
        owner, _, name = self.repository.partition("/")
        if not (_NAME.fullmatch(owner) and _NAME.fullmatch(name)):
            raise ValueError("repository: is no repository: write owner/name")


@dataclass(frozen=True, slots=True)
class _Github:
    """One notice on its way into a repository."""

    notice: Notice
    options: GithubOptions
    means: Means


async def send(notice: Notice, options: GithubOptions, means: Means) -> Accepted:
    """Bring a notice onto its issue. Raises `DeliveryError`."""
    github = _Github(notice, options, means)
    known = means.known if means.known is not None and means.known.remote_id else None
    tracker = Tracker(
        find=lambda: _find(github),
        make=lambda: _make(github),
        has=lambda issue: _has(github, issue),
        say=lambda issue: _say(github, issue),
        move=lambda issue: _move(github, issue),
        lag=SETTLE_SECONDS,
    )
    return await filed(notice, known, tracker)


async def _find(github: _Github) -> Accepted | None:
    """The oldest issue of the alert."""
    since = _since(github.notice)
    params = {"state": "all", "sort": "created", "direction": "desc", "since": since}
    found = None
    async for issue in _listed(github, "/issues", params):
        if str(issue.get("created_at")) < since:
            break
        if "pull_request" not in issue and _holds(issue, alert_mark(github.notice)):
            found = issue
    return None if found is None else _issue(found)


def _since(notice: Notice) -> str:
    """Before when the alert of a notice cannot have had an issue."""
    incident = notice.message.incident
    begun = notice.created_at - _UNDATED if incident is None else incident.detected_at
    return _instant(min(begun, notice.created_at) - _MARGIN)


async def _make(github: _Github) -> Accepted:
    title = one_line(telling.headline(github.notice, github.means.net.clock.wall()))
    said: dict[str, Any] = {
        "title": telling.cut(title.replace("@", f"@{_WORD_JOINER}"), TITLE_CHARS),
        "body": f"<!-- {alert_mark(github.notice)} -->\n{_body(github)}",
    }
    if github.options.labels:
        said["labels"] = list(github.options.labels)
    return _issue(http.json_object(await _ask(github, "POST", "/issues", said=said)))


async def _has(github: _Github, issue: Accepted) -> bool:
    """Whether the notice stands in the body of an issue or in a comment on it."""
    mark = notice_mark(github.notice)
    answer = await _ask(github, "GET", _path(issue))
    if _holds(http.json_object(answer), mark):
        return True
    params = {"since": _instant(github.notice.created_at - _MARGIN)}
    async for comment in _listed(github, f"{_path(issue)}/comments", params):
        if _holds(comment, mark):
            return True
    return False


async def _say(github: _Github, issue: Accepted) -> Accepted:
    await _ask(github, "POST", f"{_path(issue)}/comments", said={"body": _body(github)})
    return issue


async def _move(github: _Github, issue: Accepted) -> None:
    label = github.options.acknowledge_label
    match github.notice.action:
        case Action.RESOLVE:
            closed = {"state": "closed", "state_reason": "completed"}
            await _ask(github, "PATCH", _path(issue), said=closed)
        case Action.ACKNOWLEDGE if label is not None:
            await _ask(github, "POST", f"{_path(issue)}/labels", said={"labels": [label]})
        case _:
            pass


def _body(github: _Github) -> str:
    """What an issue or a comment says, as Markdown in which no text of others has a meaning."""
    now = github.means.net.clock.wall()
    said = telling.cut_bytes(clean(telling.text(github.notice, now)), TEXT_BYTES)
    longest = max((len(run) for run in re.findall(r"`+", said)), default=0)
    fence = "`" * max(3, longest + 1)
    # Two fences round a text of backticks alone would be twice as long as the text.
    if len(fence) > FENCE_CHARS:
        fence, said = "```", said.replace("`", "'")
    links = (_link(name, url) for name, url in github.notice.message.links.items())
    parts = [f"<!-- {notice_mark(github.notice)} -->", f"{fence}text\n{said}\n{fence}"]
    return "\n".join([*parts, *filter(None, links)])


def _link(name: str, url: str) -> str | None:
    """A line that leads to `url`; None when nobody may be sent there."""
    href = http.link_in(url)
    if href is None or re.search(r"[\s<>\\]", href):
        return None
    return f"\n[{re.sub('[^A-Za-z0-9 -]', '', name)}](<{href}>)"


def _holds(said: dict[str, Any], mark: str) -> bool:
    """Whether a mark stands on a line of its own in a body."""
    return f"<!-- {mark} -->" in str(said.get("body") or "").splitlines()


def _issue(said: dict[str, Any]) -> Accepted:
    """What an answer calls an issue. An answer that names none is no acceptance."""
    number = http.name_in(said.get("number"))
    if number is None:
        raise DeliveryError("GitHub answered without the number of the issue")
    return Accepted(number, http.link_in(said.get("html_url")))


def _path(issue: Accepted) -> str:
    return f"/issues/{quote(issue.remote_id or '', safe='')}"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def _listed(
    github: _Github, path: str, params: dict[str, str]
) -> AsyncIterator[dict[str, Any]]:
    """The objects of a list, page by page."""
    for page in range(1, _PAGES + 1):
        asked = {**params, "per_page": str(_PAGE), "page": str(page)}
        listed = http.json_list(await _ask(github, "GET", path, params=asked))
        for each in listed:
            yield each
        if len(listed) < _PAGE:
            return


async def _ask(
    github: _Github,
    method: str,
    path: str,
    *,
    said: object = None,
    params: dict[str, str] | None = None,
) -> httpx.Response:
    options, net = github.options, github.means.net
    answer = await http.ask_json(
        net,
        method,
        f"{options.url.rstrip('/')}/repos/{options.repository}{path}",
        timeout=options.timeout,
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {options.token.reveal()}",
            "X-GitHub-Api-Version": _API_VERSION,
        },
        params=params,
        said=said,
        answers=_LIMITED,
    )
    if answer.is_success:
        return answer
    refused = http.refusal(answer, net)
    if _is_limit(answer):
        wish = refused.retry_after
        wish = _until_reset(answer, net.clock.wall()) if wish is None else wish
        raise DeliveryError(str(refused), retry_after=wish)
    raise refused


def _is_limit(answer: httpx.Response) -> bool:
    """Whether a 403 or 429 means "not now"."""
    return (
        answer.status_code == 429
        or "retry-after" in answer.headers
        or answer.headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in answer.text.lower()
    )


def _until_reset(answer: httpx.Response, now: datetime) -> float:
    """The seconds until a limit is lifted, or those that GitHub asks for where it does not say."""
    reset = answer.headers.get("x-ratelimit-reset", "")
    spent = answer.headers.get("x-ratelimit-remaining") == "0"
    if spent and re.fullmatch(r"[0-9]{1,12}", reset):
        return max(0.0, int(reset) - now.timestamp())
    return _SECONDARY_SECONDS
