"""A GitHub repository on loopback: keeps issues, refuses what the real one refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.http_server import Reply, Request
from tests.receivers.tracker import RefusedError, Tracker, document, reply, route, tracking, unknown

ABOUT = "https://docs.example/rest"


def refused(status: int, message: str, *errors: dict[str, str], **headers: str) -> RefusedError:
    said: dict[str, Any] = {"message": message, "documentation_url": ABOUT, "status": str(status)}
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return RefusedError(reply(status, said | ({"errors": list(errors)} if errors else {}), pairs))


def too_long(resource: str, name: str, most: int) -> RefusedError:
    message = f"{name} is too long (maximum is {most} characters)"
    error = {"resource": resource, "code": "custom", "field": name, "message": message}
    return refused(422, "Validation Failed", error)


@dataclass
class Issue:
    number: int
    title: str
    body: str
    made_at: datetime
    labels: list[str]
    pull_request: bool = False
    state: str = "open"
    state_reason: str | None = None
    updated_at: datetime | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        said = {
            "number": self.number,
            "title": self.title,
            "body": self.body,
            "state": self.state,
            "state_reason": self.state_reason,
            "labels": [{"name": name} for name in self.labels],
            "created_at": stamp(self.made_at),
            "updated_at": stamp(self.updated_at or self.made_at),
            "html_url": f"https://code.example.com/acme/ops/issues/{self.number}",
        }
        return said | ({"pull_request": {}} if self.pull_request else {})


@dataclass
class Repository:
    """`pushes` says whether the token may set labels; without it they are dropped silently.

    A list shows an issue `lag` seconds after it was made.
    """

    token: str
    now: Callable[[], datetime]
    name: str = "acme/ops"
    lag: float = 0.0
    pushes: bool = True
    has_issues: bool = True
    issues: dict[int, Issue] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        """Raises `RefusedError`."""
        if not request.header("user-agent"):
            raise refused(403, "Request forbidden by administrative rules.")
        if request.header("authorization") != f"Bearer {self.token}":
            raise refused(401, "Bad credentials")
        if request.header("accept") != "application/vnd.github+json":
            raise refused(415, "Unsupported 'Accept' header")
        if request.header("x-github-api-version") != "2022-11-28":
            raise refused(400, "The API version is not supported")
        method, parts, query = route(request)
        if parts[:3] != ["repos", *self.name.split("/")] or parts[3:4] != ["issues"]:
            raise refused(404, "Not Found")
        if not self.has_issues:
            raise refused(410, "Issues are disabled for this repo")
        match method, parts[4:]:
            case "GET", []:
                return self._listed(query)
            case "POST", []:
                return self._made(_said(request))
            case _, [number, *rest]:
                return self._of(self._issue(number), method, rest, query, request)
        raise refused(404, "Not Found")

    def add(self, title: str, body: str = "", **more: Any) -> Issue:
        """An issue that somebody else made."""
        number = len(self.issues) + 1
        issue = Issue(number, title, body, more.pop("made_at", self.now()), [], **more)
        self.issues[number] = issue
        return issue

    def _issue(self, number: str) -> Issue:
        if not number.isdecimal() or int(number) not in self.issues:
            raise refused(404, "Not Found")
        return self.issues[int(number)]

    def _of(
        self, issue: Issue, method: str, rest: list[str], query: dict[str, str], request: Request
    ) -> Reply:
        match method, rest:
            case "GET", []:
                return reply(200, issue.document())
            case "PATCH", []:
                return self._changed(issue, _said(request))
            case "GET", ["comments"]:
                listed = [each for each in issue.comments if each["updated_at"] >= query["since"]]
                return reply(200, _page(listed, query, "since"))
            case "POST", ["comments"]:
                return self._commented(issue, _said(request))
            case "POST", ["labels"]:
                return self._labelled(issue, _said(request))
        raise refused(404, "Not Found")

    def _listed(self, query: dict[str, str]) -> Reply:
        known = "state sort direction since labels creator"
        assert query["sort"] == "created"
        listed = [
            each.document()
            for each in sorted(self.issues.values(), key=lambda issue: issue.made_at, reverse=True)
            if (self.now() - each.made_at).total_seconds() >= self.lag
            and query.get("state", "open") in {"all", each.state}
            and each.document()["updated_at"] >= query.get("since", "")
        ]
        return reply(200, _page(listed[:: 1 if query["direction"] == "desc" else -1], query, known))

    def _made(self, said: dict[str, Any]) -> Reply:
        _check("Issue", said, "title body labels assignees milestone type")
        labels = said.get("labels", []) if self.pushes else []
        issue = self.add(said["title"], said.get("body", ""))
        issue.labels.extend(labels)
        return reply(201, issue.document())

    def _commented(self, issue: Issue, said: dict[str, Any]) -> Reply:
        _check("IssueComment", {"title": "-", **said}, "title body")
        at = stamp(self.now())
        made = {"id": len(issue.comments) + 1, "body": said["body"], "updated_at": at}
        issue.comments.append(made)
        issue.updated_at = self.now()
        return reply(201, made)

    def _labelled(self, issue: Issue, said: dict[str, Any]) -> Reply:
        if not self.pushes:
            raise refused(403, "Must have admin rights to Repository.")
        _check("Label", {"title": "-", **said}, "title labels")
        issue.labels.extend(name for name in said["labels"] if name not in issue.labels)
        return reply(200, [{"name": name} for name in issue.labels])

    def _changed(self, issue: Issue, said: dict[str, Any]) -> Reply:
        _check("Issue", {"title": "-", **said}, "title body state state_reason labels")
        if said.get("state_reason") not in {None, "completed", "not_planned", "reopened"}:
            raise refused(422, "Validation Failed")
        issue.state, issue.state_reason = said["state"], said.get("state_reason")
        return reply(200, issue.document())


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _said(request: Request) -> dict[str, Any]:
    return document(request, lambda why: refused(400, f"Problems parsing JSON: {why}"))


def _check(resource: str, said: dict[str, Any], known: str) -> None:
    if bad := unknown(said, known):
        raise refused(422, f'Invalid request.\n\n"{bad[0]}" is not a permitted key.')
    title, body = said.get("title"), said.get("body", "")
    if not isinstance(title, str) or not title.strip():
        error = {"resource": resource, "field": "title", "code": "missing_field"}
        raise refused(422, "Validation Failed", error)
    if len(title) > 256:
        raise too_long(resource, "title", 256)
    if len(body) > 65_536:
        raise too_long(resource, "body", 65_536)


def _page(listed: list[Any], query: dict[str, str], known: str) -> list[Any]:
    assert unknown(query, f"{known} per_page page") == []
    most, page = int(query.get("per_page", "30")), int(query.get("page", "1"))
    assert most <= 100
    return listed[(page - 1) * most : page * most]


@asynccontextmanager
async def github_repository(repository: Repository) -> AsyncIterator[Tracker]:
    """Serve a repository at the tracker's `url` until the block ends."""
    async with tracking(Tracker(repository.answer)) as tracker:
        yield tracker
