"""A Jira Cloud site on loopback: keeps issues, refuses what the real one refuses.

Its search shows an issue only `lag` seconds after it was made; the issue itself is there at once.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.http_server import Reply, Request
from tests.receivers.tracker import (
    RefusedError,
    Tracker,
    document,
    reply,
    route,
    texts_in,
    tracking,
    units,
    unknown,
)

LIMIT = 32_767
STATUSES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
WORKFLOW = {"11": ("Start work", "In Progress"), "21": ("Close it", "Done")}
"""The transitions by their ids: the name, and the status that each leads to."""

NODES = {"doc": "type version content", "paragraph": "type content", "text": "type text marks"}
FIELDS = "project issuetype summary description labels priority"


def refused(status: int, *messages: str, **errors: str) -> RefusedError:
    return RefusedError(reply(status, {"errorMessages": list(messages), "errors": errors}))


@dataclass
class Issue:
    id: str
    key: str
    fields: dict[str, Any]
    made_at: datetime
    status: str = "To Do"
    comments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return STATUSES[self.status] == "done"

    def status_document(self) -> dict[str, Any]:
        return {"name": self.status, "statusCategory": {"key": STATUSES[self.status]}}


@dataclass
class Site:
    """`now` is its clock. `conflicts` are how many transitions are refused as simultaneous.

    A `deaf` one finds everything, whatever it is asked for.
    """

    account: str
    now: Callable[[], datetime]
    lag: float = 0.0
    project: str = "OPS"
    issue_type: str = "Task"
    priorities: tuple[str, ...] = ("Highest", "Medium")
    workflow: dict[str, tuple[str, str]] = field(default_factory=lambda: dict(WORKFLOW))
    conflicts: int = 0
    deaf: bool = False
    issues: dict[str, Issue] = field(default_factory=dict)

    def answer(self, request: Request) -> Reply:
        """Raises `RefusedError`."""
        expected = "Basic " + base64.b64encode(self.account.encode()).decode()
        if request.header("authorization") != expected:
            raise refused(401, "Client must be authenticated to access this resource.")
        if request.header("accept") != "application/json":
            raise refused(406, "Not acceptable")
        method, parts, query = route(request)
        match method, parts:
            case "POST", ["rest", "api", "3", "search", "jql"]:
                return self._searched(_said(request))
            case "POST", ["rest", "api", "3", "issue"]:
                return self._made(_said(request))
            case _, ["rest", "api", "3", "issue", key, *rest]:
                return self._of(self._issue(key), method, rest, query, request)
        raise refused(404, "null for uri")

    def _issue(self, key: str) -> Issue:
        if key not in self.issues:
            raise refused(404, "Issue does not exist or you do not have permission to see it.")
        return self.issues[key]

    def _of(
        self, issue: Issue, method: str, rest: list[str], query: dict[str, str], request: Request
    ) -> Reply:
        match method, rest:
            case "GET", []:
                whole = {"status": issue.status_document(), **issue.fields}
                shown = {name: whole[name] for name in query["fields"].split(",")}
                return reply(200, {"id": issue.id, "key": issue.key, "fields": shown})
            case "GET", ["comment"]:
                return reply(200, self._comments(issue, query))
            case "POST", ["comment"]:
                return self._commented(issue, _said(request))
            case "GET", ["transitions"]:
                return reply(200, {"transitions": self._transitions(issue)})
            case "POST", ["transitions"]:
                return self._moved(issue, _said(request))
        raise refused(405, "Method Not Allowed")

    def _searched(self, said: dict[str, Any]) -> Reply:
        if bad := unknown(said, "jql fields maxResults nextPageToken reconcileIssues expand"):
            raise refused(400, f"Unrecognized field {bad[0]}")
        label = said["jql"].removeprefix('labels = "').removesuffix('" ORDER BY created ASC')
        if not label.replace("-", "").isalnum():
            raise refused(400, f"Error in the JQL Query: {said['jql']}")
        found = [issue for issue in self.issues.values() if self._shows(issue, label)]
        # Without `fields` the real one names nothing but the id.
        shown = [
            {"id": each.id} | self._named(each, said.get("fields", []))
            for each in found[: said.get("maxResults", 50)]
        ]
        return reply(200, {"issues": shown, "isLast": True})

    def _named(self, issue: Issue, wanted: list[str]) -> dict[str, Any]:
        fields = {name: issue.fields[name] for name in wanted}
        return {"key": issue.key, "fields": fields} if wanted else {}

    def _shows(self, issue: Issue, label: str) -> bool:
        seen = (self.now() - issue.made_at).total_seconds() >= self.lag
        return seen and (self.deaf or label in issue.fields["labels"])

    def _made(self, said: dict[str, Any]) -> Reply:
        fields = said.get("fields")
        if unknown(said, "fields update properties transition") or not isinstance(fields, dict):
            raise refused(400, "Invalid request payload. Refer to the REST API documentation.")
        errors = {
            name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            for name in unknown(fields, FIELDS)
        } | _mistakes(self, fields)
        if errors:
            raise refused(400, **errors)
        number = len(self.issues) + 1
        issue = Issue(str(10_000 + number), f"{self.project}-{number}", fields, self.now())
        self.issues[issue.key] = issue
        return reply(201, {"id": issue.id, "key": issue.key, "self": f"issue/{issue.id}"})

    def _commented(self, issue: Issue, said: dict[str, Any]) -> Reply:
        if unknown(said, "body properties visibility"):
            raise refused(400, "Invalid request payload. Refer to the REST API documentation.")
        if mistake := adf_mistake(said.get("body")):
            raise refused(400, comment=mistake)
        comment = {"id": str(len(issue.comments) + 1), "body": said["body"]}
        issue.comments.append(comment)
        return reply(201, comment)

    def _comments(self, issue: Issue, query: dict[str, str]) -> dict[str, Any]:
        order = {"-created": -1, "created": 1}[query.get("orderBy", "created")]
        start, most = int(query.get("startAt", "0")), min(int(query.get("maxResults", "50")), 100)
        comments = issue.comments[::order][start : start + most]
        return {"startAt": start, "total": len(issue.comments), "comments": comments}

    def _transitions(self, issue: Issue) -> list[dict[str, Any]]:
        return [
            {
                "id": number,
                "name": name,
                "to": {"name": to, "statusCategory": {"key": STATUSES[to]}},
            }
            for number, (name, to) in self.workflow.items()
            if to != issue.status
        ]

    def _moved(self, issue: Issue, said: dict[str, Any]) -> Reply:
        if self.conflicts:
            self.conflicts -= 1
            raise refused(409, "Another transition of this issue is under way.")
        if unknown(said, "transition fields update") or set(said["transition"]) != {"id"}:
            raise refused(400, "Invalid request payload. Refer to the REST API documentation.")
        name, to = self.workflow.get(said["transition"]["id"], ("", issue.status))
        if to == issue.status:
            raise refused(400, f"It is not valid for the current state to be moved by '{name}'.")
        issue.status = to
        return reply(204)


def _said(request: Request) -> dict[str, Any]:
    return document(request, lambda why: refused(415 if "type" in why else 400, why))


def _mistakes(site: Site, fields: dict[str, Any]) -> dict[str, str]:
    summary, labels = fields.get("summary"), fields.get("labels", [])
    found = {}
    if fields.get("project") != {"key": site.project}:
        found["project"] = "valid project is required"
    if fields.get("issuetype") != {"name": site.issue_type}:
        found["issuetype"] = "Specify a valid issue type"
    if not isinstance(summary, str) or not summary.strip():
        found["summary"] = "You must specify a summary of the issue."
    elif units(summary) > 255:
        found["summary"] = "Summary must be less than 255 characters."
    elif "\n" in summary or "\r" in summary:
        found["summary"] = "The summary is invalid because it contains newline characters."
    if any(not label or " " in label or units(label) > 255 for label in labels):
        found["labels"] = "The label contains spaces which is invalid, or is too long."
    if "priority" in fields and fields["priority"].get("name") not in site.priorities:
        found["priority"] = "The priority selected is invalid."
    if mistake := adf_mistake(fields.get("description")):
        found["description"] = mistake
    return found


def adf_mistake(said: object) -> str | None:
    """Why a document is none of the Atlassian Document Format; None when it is."""
    if not isinstance(said, dict) or (said.get("type"), said.get("version")) != ("doc", 1):
        return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    if any(map(_is_broken, _nodes(said))):
        return "INVALID_INPUT"
    if units("".join(texts_in(said))) > LIMIT:
        return "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
    return None


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(each for child in node.get("content", []) for each in _nodes(child))]


def _is_broken(node: dict[str, Any]) -> bool:
    kind = node.get("type")
    if kind not in NODES or unknown(node, NODES[kind]):
        return True
    if kind != "text":
        return not isinstance(node.get("content"), list)
    text, marks = node.get("text"), node.get("marks", [])
    links = all(set(mark) == {"type", "attrs"} and mark["type"] == "link" for mark in marks)
    return not isinstance(text, str) or not text or "\n" in text or not links


@asynccontextmanager
async def jira_site(site: Site) -> AsyncIterator[Tracker]:
    """Serve a site at the tracker's `url` until the block ends."""
    async with tracking(Tracker(site.answer)) as tracker:
        yield tracker
