"""Alerts of Jira Service Management Operations, by its integration events API.

The alias of an alert is the mark that `ticket.py` makes of it. While an alert with an alias is
open, a creation with the same alias only raises its count: nobody is woken twice for a trigger that
is sent again. Acknowledging and closing again change nothing. A note that is sent again is there
twice, for this API shows no notes.

Every request is only accepted here (202) and done soon after; what became of it is not said. So an
update whose alert is not known creates the alert: whoever was to be woken by its trigger may not
have been. An acknowledgement or a close of an alert that does not exist does nothing, as it should.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from monitor.channels import http, telling
from monitor.channels.kind import Means
from monitor.channels.ticket import alert_mark, clean, one_line
from monitor.model import Accepted, Action, Notice
from monitor.net.secret import Secret

MESSAGE_UNITS = 130
DESCRIPTION_UNITS = 15_000
NOTE_UNITS = 25_000

_ALERTS = "/jsm/ops/integration/v2/alerts"
_SOURCE = "monitor"
_PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
_TOLD = "P5"
_TAGS = 20
_TAG_CHARS = 50

_BECOMES = {
    Action.UPDATE: "notes",
    Action.ACKNOWLEDGE: "acknowledge",
    Action.RESOLVE: "close",
}
"""What an alert that exists is asked to do, by the action of the notice."""


@dataclass(frozen=True, slots=True)
class JsmPriorities:
    """The priorities of JSM for ours: P1 to P5."""

    critical: str = "P1"
    standard: str = "P3"

    def __post_init__(self) -> None:
        for name in ("critical", "standard"):
            if getattr(self, name) not in _PRIORITIES:
                raise ValueError(f"{name}: is not one of: {', '.join(_PRIORITIES)}")


@dataclass(frozen=True, slots=True)
class JsmOptions:
    """The key of an API integration, and what alerts are given.

    The integration's team is who is woken. `url` is where the API is; `timeout` is the seconds that
    each request may take.
    """

    api_key: Secret
    priority_names: JsmPriorities = field(default_factory=JsmPriorities)
    tags: tuple[str, ...] = ()
    url: str = "https://api.atlassian.com"
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if len(self.tags) > _TAGS or any(not 0 < len(tag) <= _TAG_CHARS for tag in self.tags):
            raise ValueError(f"tags: are at most {_TAGS}, each of at most {_TAG_CHARS} characters")


async def send(notice: Notice, options: JsmOptions, means: Means) -> Accepted:
    """Ask for what a notice says. Raises `DeliveryError`.

    The answer to a creation is kept as the alias, from which later notices know that the alert was
    asked for.
    """
    alias = alert_mark(notice)
    creates = notice.action in {Action.TRIGGER, Action.TELL}
    if creates or (notice.action is Action.UPDATE and means.known is None):
        await _ask(options, means, "", _alert(notice, options, means))
        return Accepted(alias)
    path = f"/{alias}/{_BECOMES[notice.action]}"
    said = {"note": telling.cut_units(_text(notice, means), NOTE_UNITS), "source": _SOURCE}
    await _ask(options, means, path, said, {"identifierType": "alias"})
    return means.known or Accepted()


def _alert(notice: Notice, options: JsmOptions, means: Means) -> dict[str, Any]:
    headline = one_line(telling.headline(notice, means.net.clock.wall()))
    said: dict[str, Any] = {
        "message": telling.cut_units(headline, MESSAGE_UNITS),
        "alias": alert_mark(notice),
        "description": telling.cut_units(_text(notice, means), DESCRIPTION_UNITS),
        "priority": _priority(notice, options),
        "source": _SOURCE,
        "details": dict(notice.message.links),
    }
    return said | ({"tags": list(options.tags)} if options.tags else {})


def _priority(notice: Notice, options: JsmOptions) -> str:
    """That of the incident; the monitor's own alarm is critical, what only tells is the least."""
    if notice.action is Action.TELL:
        return _TOLD
    incident = notice.tells_of
    name = "critical" if incident is None else incident.priority.value
    return str(getattr(options.priority_names, name))


def _text(notice: Notice, means: Means) -> str:
    return clean(telling.text(notice, means.net.clock.wall()))


async def _ask(
    options: JsmOptions,
    means: Means,
    path: str,
    said: dict[str, Any],
    params: dict[str, str] | None = None,
) -> None:
    await http.ask_json(
        means.net,
        "POST",
        f"{options.url.rstrip('/')}{_ALERTS}{path}",
        timeout=options.timeout,
        headers={"Authorization": f"GenieKey {options.api_key.reveal()}"},
        params=params,
        said=said,
    )
