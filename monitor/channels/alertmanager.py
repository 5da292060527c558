"""Prometheus Alertmanager by its API v2: an alert is what stands, told again and again.

Labels are an alert's identity, so nothing stands in them that can change: the monitor, the service
and the alert's own name. What changes is in annotations, the newest in place of the last. An open
alert ends ENDS_AFTER from now, and `refresh` says it again in time; should this monitor die, the
alert ends by itself. A resolved one has ended now, and is said again for a while for a peer that
was away.

    trigger, update, acknowledge  the alert stands, with the newest words
    resolve                       the alert has ended
    tell                          an alert of its own, which ends by itself after TOLD_FOR

Every peer of a cluster is told, never a balancer before them, as Alertmanager asks; one that takes
it in is enough, for the others hear of it with the next refresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from monitor.channels import http, telling
from monitor.channels.kind import REFRESH_EVERY, Means
from monitor.model import Accepted, Action, DeliveryError, Notice
from monitor.net.secret import Secret, basic
from monitor.net.texts import Url

ENDS_AFTER = timedelta(seconds=4 * REFRESH_EVERY)
"""Three refreshes may be lost."""

TOLD_FOR = timedelta(minutes=15)
"""Longer than Alertmanager may wait before it notifies of a group anew."""

Alert = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AlertmanagerOptions:
    """Every peer's address, who we are to them, more labels, and the seconds that each has."""

    urls: tuple[Url, ...]
    username: str | None = None
    password: Secret | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0


async def send(notice: Notice, options: AlertmanagerOptions, means: Means) -> Accepted:
    """Say once how an alert stands. Raises `DeliveryError` when no peer took it in."""
    refused = await _post([_alert(notice, options, means.net.clock.wall())], options, means)
    if len(refused) == len(options.urls):
        raise _all_of(refused)
    return Accepted()


async def refresh(notices: Sequence[Notice], options: AlertmanagerOptions, means: Means) -> None:
    """Say again what stands. Raises `DeliveryError` when any peer did not take it in."""
    now = means.net.clock.wall()
    refused = await _post([_alert(notice, options, now) for notice in notices], options, means)
    if refused:
        raise _all_of(refused)


async def _post(
    alerts: Sequence[Alert], options: AlertmanagerOptions, means: Means
) -> list[DeliveryError]:
    """Tell every peer at once; why some did not take it in."""
    peers = [_post_to(url, alerts, options, means) for url in options.urls]
    return [error for error in await asyncio.gather(*peers) if error is not None]


def _all_of(refused: Sequence[DeliveryError]) -> DeliveryError:
    return DeliveryError(
        "; ".join(str(error) for error in refused),
        permanent=all(error.permanent for error in refused),
        retry_after=max((e.retry_after for e in refused if e.retry_after), default=None),
    )


async def _post_to(
    url: str, alerts: Sequence[Alert], options: AlertmanagerOptions, means: Means
) -> DeliveryError | None:
    """Why one peer did not take the alerts in; None when it did."""
    try:
        await http.ask_json(
            means.net,
            "POST",
            f"{url.rstrip('/')}/api/v2/alerts",
            timeout=options.timeout,
            headers=_credentials(options),
            said=alerts,
            only={HTTPStatus.OK},
        )
    except DeliveryError as error:
        return error
    return None


def _credentials(options: AlertmanagerOptions) -> dict[str, str]:
    if options.password is None:
        return {}
    return {"Authorization": basic(options.username or "", options.password.reveal())}


def _alert(notice: Notice, options: AlertmanagerOptions, now: datetime) -> Alert:
    starts_at, ends_at = _span(notice, now)
    return {
        "labels": {**options.labels, **_labels(notice)},
        "annotations": _annotations(notice, now),
        "startsAt": telling.instant(min(starts_at, ends_at)),
        "endsAt": telling.instant(ends_at),
        "generatorURL": next(iter(notice.message.links.values()), ""),
    }


def _span(notice: Notice, now: datetime) -> tuple[datetime, datetime]:
    """When an alert began, and when it ends unless it is said again."""
    if notice.action is Action.TELL:
        return notice.created_at, now + TOLD_FOR
    incident = notice.message.incident
    began = notice.created_at if incident is None else incident.began.before
    if notice.action is Action.RESOLVE:
        return began, notice.sent_at or now
    return began, now + ENDS_AFTER


def _labels(notice: Notice) -> dict[str, str]:
    monitor, _, alert = notice.dedup_key.rpartition(":")
    incident = notice.message.incident
    named = "UptimeNotice" if notice.action is Action.TELL else "UptimeIncident"
    return {
        "alertname": named,
        "monitor": monitor,
        "alert": alert,
        "service": "monitor" if incident is None else incident.service,
    }


def _annotations(notice: Notice, now: datetime) -> dict[str, str]:
    incident = notice.tells_of
    said = {
        "summary": telling.headline(notice, notice.sent_at or now),
        "description": "\n".join(telling.lines(notice)),
    }
    if incident is not None:
        due, person = incident.respond_by, incident.acknowledged_by
        said["priority"] = incident.priority.value
        said["respond_by"] = "" if due is None else telling.instant(due)
        said["acknowledged_by"] = person or ""
    return said
