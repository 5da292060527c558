"""The label values that can be foreseen, which begin at zero.

Only what can come about is foreseen: a reason has the priority and the routes that policy's tables
give it, an outage the reasons that detection declares its impact with. What comes about all the
same, as the route of an incident that was written under other tables, begins when it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import product

from monitor.model import (
    CONTROL,
    MONITOR,
    DecisionReason,
    Estate,
    FailureKind,
    Impact,
    Incident,
    Outcome,
    Priority,
    Problem,
    Role,
    VerdictReason,
)
from monitor.policy import ROUTES, URGENCY, Urgency


class NoticeOutcome(StrEnum):
    """What became of one attempt to deliver a notice."""

    SENT = "sent"
    RETRIED = "retried"
    DEAD = "dead"


class PingOutcome(StrEnum):
    """What became of one turn to call the address that watches the monitor."""

    SENT = "sent"
    FAILED = "failed"
    WITHHELD = "withheld"


class Told(StrEnum):
    """Whom an incident was told to when it was opened: the label `route`."""

    PAGED = "paged"
    TOLD = "told"
    HELD = "held"


NO_KIND = "none"
SUPPORT = ("open", "closed")
KEPT = ("results", "sums")
RELOAD = {True: "taken", False: "refused"}
BY = {True: "tenant", False: "anonymous"}

OUTAGES: Mapping[Impact, tuple[VerdictReason, ...]] = {
    Impact.ALL: (
        VerdictReason.EVERYONE_TWICE,
        VerdictReason.ONE_LOCATION,
        VerdictReason.FLAPPING,
    ),
    Impact.SOME: (
        VerdictReason.SET_FAILING,
        VerdictReason.SHARE_FAILING,
        VerdictReason.CANARY_FAILING,
        VerdictReason.DEGRADED,
        VerdictReason.NEVER_WORKED,
        VerdictReason.FLAPPING,
    ),
    Impact.UNKNOWN: (VerdictReason.LOCKED_OUT, VerdictReason.TURNED_ON_US),
}
"""The reasons with which an outage of a service is declared, by its impact."""


def told(incident: Incident) -> Told:
    """Whom an incident is told to, and whether that waits until support opens."""
    return _told(incident.route, held=incident.notify_at > incident.reported_at)


def foreseen(estate: Estate, channels: Sequence[str]) -> Mapping[str, Iterable[tuple[str, ...]]]:
    """The label values that can be foreseen, by family."""
    services = [service.name for service in estate.services]
    subjects = [*services, MONITOR]
    probed = [*services, CONTROL]
    failing = (Outcome.FAIL, Outcome.MAINTENANCE)
    ends = [(outcome.value, kind.value) for outcome in failing for kind in FailureKind]
    ends += [(outcome.value, NO_KIND) for outcome in Outcome if outcome not in failing]
    return {
        "monitor_service_impact": product(services, Impact),
        "monitor_cells": product(probed),
        "monitor_maintenance_active": product(services),
        "monitor_incidents_open": product(subjects, Priority),
        "monitor_incident_number": product(subjects, Priority),
        "monitor_incidents_total": _incidents(services),
        "monitor_outages_total": _outages(services),
        "monitor_outages_open": product(subjects),
        "monitor_false_alarms_total": product(subjects, Priority),
        "monitor_outage_age_seconds": product(subjects, Priority),
        "monitor_response_breached_total": product(subjects),
        "monitor_detection_delay_seconds": product(subjects),
        "monitor_acknowledge_seconds": product(Priority, SUPPORT),
        "monitor_resolve_seconds": product(Priority, SUPPORT),
        "monitor_notices_total": product(channels, NoticeOutcome),
        "monitor_outbox_pending": product(channels),
        "monitor_outbox_dead": product(channels),
        "monitor_probes_total": ((name, *end) for name in probed for end in ends),
        "monitor_vantage_healthy": product(vantage.name for vantage in estate.vantages),
        "monitor_reports_total": product(BY.values()),
        "monitor_config_reloads_total": product(RELOAD.values()),
        "monitor_history_bytes": product(KEPT),
        "monitor_self_alarm": product(Problem),
        "monitor_pings_total": product(PingOutcome),
    }


def _incidents(services: Iterable[str]) -> Iterable[tuple[str, ...]]:
    """Service, priority, route and reason, as policy's tables combine them."""
    for reason in DecisionReason:
        urgency = URGENCY[reason]
        priority = Priority.CRITICAL if urgency is Urgency.CRITICAL else Priority.STANDARD
        routes = {
            _told(ROUTES[urgency, is_open].roles, held=ROUTES[urgency, is_open].held)
            for is_open in (True, False)
        }
        subjects = [*services, MONITOR] if reason is DecisionReason.CANNOT_TELL else services
        for subject, route in product(subjects, sorted(routes)):
            yield subject, priority, route, reason


def _outages(services: Iterable[str]) -> Iterable[tuple[str, ...]]:
    for service, (impact, reasons) in product(services, OUTAGES.items()):
        for reason in reasons:
            yield service, impact, reason
    yield MONITOR, Impact.UNKNOWN, VerdictReason.BLIND


def _told(roles: Iterable[Role], *, held: bool) -> Told:
    if Role.ON_CALL in roles:
        return Told.PAGED
    return Told.HELD if held else Told.TOLD
