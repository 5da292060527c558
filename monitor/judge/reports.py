"""A customer's report, on its way to the incidents that it opens or joins.

Each service that it names is a matter of its own, decided by the same policy as what the probes
find:

1. *Which incident it joins.* An open one of the same service and deployment that is about
   everyone, or about the same tenant, and stops users: the widest first. A partial one only where
   the tenant is among those it fails for, and a recovered one only where the report is of the time
   before. Incidents that say that we cannot tell, or that something never worked, end for reasons
   of their own; nothing joins them.
2. *What joining does.* The incident remembers the report and keeps its start as the probes know
   it; the account goes on the timeline verbatim. A tenant's report takes part in the higher of
   both priorities, and raises the incident to its own. An anonymous one raises nothing, and of
   it only the service desk is told.
3. *Else it opens one of its own*: one is open per service and tenant, and one per service for all
   who are anonymous. Only a person resolves it. What the probes declare of that service meanwhile
   is another incident, and both are linked: what they see and what a customer says end separately.

An acknowledgement answers the reports that joined before it. One that joins an acknowledged
incident waits for another, with warnings of its own.

All that one report writes is one change, so that it is taken in whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitor.clock import Now
from monitor.incident import lifecycle, replying
from monitor.incident.replying import Answered
from monitor.judge import silencing
from monitor.judge.cases import Case, Told, incident_changes, raised
from monitor.judge.mind import ACTOR, Mind, kept, remembered
from monitor.judge.notices import notices_of
from monitor.judge.reporters import told
from monitor.model import (
    SHARED,
    Account,
    Action,
    Change,
    Decision,
    Deployment,
    Dimension,
    EventKind,
    Extent,
    Impact,
    Incident,
    Interval,
    Need,
    Notice,
    Priority,
    Report,
    ReportedBy,
    ReportMessageKind,
    Role,
    Service,
    Stage,
    Target,
    TimelineEvent,
    Verdict,
    VerdictReason,
)
from monitor.policy import decide

_TRACK = "report"
_JOINED_TRACKS = ("all", "some")


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A report as it comes in."""

    mind: Mind
    account: Account
    reference: str
    now: Now


@dataclass(frozen=True, slots=True)
class _Matter:
    """One service of a report: what policy decides, and the incident that it joins, if any."""

    service: Service
    verdict: Verdict
    decision: Decision
    joins: Incident | None


def report(mind: Mind, account: Account, reference: str, now: Now) -> tuple[Report, Change]:
    """Take in a complete account under a new reference: the report, and all that it writes.

    Every service it names must be one of the estate's.
    """
    arrival = _Arrival(mind, account, reference, now)
    services = {service.name: service for service in mind.estate.services}
    matters = [_matter(arrival, services[name]) for name in dict.fromkeys(account.services)]
    changes: list[Change] = []
    ids: list[str] = []
    for matter in matters:
        made = _taken_in(arrival, matter)
        changes += made
        ids.append(_incident_id(made, reference))
    taken, notices = _received(arrival, matters, tuple(ids))
    first, *others = remembered(mind, changes)
    notices = (*first.notices, *notices)
    return taken, replace(first, reports=(taken,), notices=notices, also=tuple(others))


def _incident_id(changes: Iterable[Change], reference: str) -> str:
    moved = [change.incident for change in changes if change.incident is not None]
    return next(i.id for i in moved if any(r.reference == reference for r in i.reports))


def _matter(arrival: _Arrival, service: Service) -> _Matter:
    mind, tenant = arrival.mind, arrival.account.tenant
    verdict = _verdict(arrival.account, service, arrival.now)
    joins = _joined_incident(mind, arrival.account, service, verdict.deployment)
    if tenant is not None and joins is not None and joins.priority is Priority.CRITICAL:
        # A tenant's account of what is business critical anyway is answered as such.
        verdict = replace(verdict, reason=VerdictReason.REPORTED_ALL)
    return _Matter(service, verdict, decide(verdict, service, mind.calendar, mind.policy), joins)


def _verdict(account: Account, service: Service, now: Now) -> Verdict:
    """What a report says of a service, as policy takes it."""
    reason = VerdictReason.REPORTED_ANONYMOUSLY
    if account.tenant is not None:
        everyone = account.all_users
        reason = VerdictReason.REPORTED_ALL if everyone else VerdictReason.REPORTED_PART
    stops_all = reason is VerdictReason.REPORTED_ALL
    return Verdict(
        service=service.name,
        impact=Impact.ALL if stops_all else Impact.SOME,
        stage=Stage.FAILING,
        reason=reason,
        at=now.at,
        checks=(),
        extent=Extent(Dimension.EVERYONE),
        began=Interval(None, account.started_at),
        known_by=replying.UNCONFIRMED,
        tenant=account.tenant,
        deployment=_deployment(service, account.tenant),
    )


def _deployment(service: Service, tenant: str | None) -> Deployment:
    """Where that which a customer speaks of runs: hosted, if anything of it does."""
    targets = [target for check in service.checks for target in check.targets]
    own = _targets_of(targets, tenant) or _targets_of(targets, SHARED)
    found = {target.deployment for target in (targets if tenant is None else own)}
    if not found or Deployment.HOSTED in found:
        return Deployment.HOSTED
    return min(found)


def _targets_of(targets: Iterable[Target], tenant: str | None) -> list[Target]:
    return [target for target in targets if target.tenant == tenant]


# --------------------------------------------------------------------------- which it joins


def _joined_incident(
    mind: Mind, account: Account, service: Service, deployment: Deployment
) -> Incident | None:
    own = _subject(service, account.tenant, deployment)
    everyone = _subject(service, None, deployment)

    def width(incident: Incident) -> tuple[bool, bool, bool, int]:
        part = incident.impact is not Impact.ALL
        narrow = _about(incident) != everyone
        return incident.by_customer, part, narrow, incident.number

    found = [
        incident
        for incident in mind.open.values()
        if (incident.subject == f"{own}:{_TRACK}")
        or (_about(incident) in {own, everyone} and _fits(incident, account, service))
    ]
    return min(found, key=width, default=None)


def _subject(service: Service, tenant: str | None, deployment: Deployment) -> str:
    """All of a subject but its last part: whose of which service."""
    parts = ["v1", service.name, *(("tenant", tenant) if tenant is not None else ())]
    return ":".join([*parts, *(() if deployment is Deployment.HOSTED else (deployment.value,))])


def _about(incident: Incident) -> str:
    return incident.subject.rpartition(":")[0]


def _fits(incident: Incident, account: Account, service: Service) -> bool:
    """Whether the probes' incident may be what a customer speaks of."""
    of_probes = incident.subject.rpartition(":")[2] in _JOINED_TRACKS
    blocking = {check.name for check in service.checks if check.need is Need.BLOCKING}
    stops = not blocking.isdisjoint(incident.checks)
    back = incident.recovered
    in_time = back is None or account.started_at <= back.before
    return of_probes and stops and in_time and _covers(incident, account.tenant, service)


def _covers(incident: Incident, tenant: str | None, service: Service) -> bool:
    """Whether a tenant is among those an incident fails for, as far as its extent tells."""
    extent = incident.extent
    if tenant is None or incident.impact is Impact.ALL:
        return True
    targets = [target for check in service.checks for target in check.targets]
    own = [*_targets_of(targets, tenant), *_targets_of(targets, SHARED)]
    if extent.dimension is Dimension.TARGET:
        return any(target.name in extent.members for target in own)
    if extent.dimension is Dimension.GROUP:
        return any(target.group in extent.members for target in own)
    return True


# --------------------------------------------------------------------------- what it does


def _taken_in(arrival: _Arrival, matter: _Matter) -> list[Change]:
    mind, account, now = arrival.mind, arrival.account, arrival.now
    due = matter.decision.respond_by
    said = Told(
        ReportedBy(arrival.reference, account.tenant, now.at, due),
        replying.account_text(account, arrival.reference),
        replying.seen_words(account),
    )
    if matter.joins is not None:
        return [_joined(arrival, matter.decision, matter.joins, said)]
    subject = _subject(matter.service, account.tenant, matter.verdict.deployment)
    case = Case(mind, now, f"{subject}:{_TRACK}", matter.service, matter.verdict, told=said)
    return incident_changes(case)


def _joined(arrival: _Arrival, decision: Decision, incident: Incident, said: Told) -> Change:
    mind, account, now = arrival.mind, arrival.account, arrival.now
    moved = _with_report(account, decision, incident, said)
    higher = raised(incident, moved)
    text = _joined_text(account, decision if higher else None, incident, said.reported)
    broken = silencing.broken(mind, now, incident, moved, text=text, higher=higher)
    over: tuple[TimelineEvent, ...] = ()
    if broken is not None:
        moved, notices, over = broken
    else:
        notices = notices_of(
            mind,
            now,
            moved,
            Action.UPDATE,
            text,
            before=incident if higher else None,
            only=None if account.tenant is not None else Role.SERVICE_DESK,
            story=(said.seen,),
        )
    lines = [TimelineEvent(moved.id, now.at, ACTOR, EventKind.REPORTED, said.line)]
    if higher:
        lines.append(TimelineEvent(moved.id, now.at, ACTOR, EventKind.UPDATED, text))
    return Change(
        incident=kept(mind, moved, notices),
        was_version=incident.version,
        events=(*lines, *over),
        notices=notices,
    )


def _with_report(account: Account, decision: Decision, incident: Incident, said: Told) -> Incident:
    """The incident with one more report, raised where that may raise it."""
    critical = account.tenant is not None and decision.priority is Priority.CRITICAL
    raising = decision if critical else None
    moved = lifecycle.report(incident, said.reported, raising)
    if not _warns_itself(moved, said.reported):
        return moved
    return lifecycle.report(incident, replace(said.reported, warn_at=decision.warn_at), raising)


def _joined_text(
    account: Account, raising: Decision | None, incident: Incident, reported: ReportedBy
) -> str:
    said = [replying.joined_text(account)]
    said += [raising.sentence] if raising is not None else []
    said += [replying.waits_text(reported)] if incident.acknowledged_at is not None else []
    return " ".join(said)


def _warns_itself(incident: Incident, reported: ReportedBy) -> bool:
    """Whether the incident's own warnings, if any, do not tell of what a report is owed."""
    owed, promised = reported.respond_by, incident.respond_by
    if owed is None:
        return False
    return incident.acknowledged_at is not None or promised is None or promised > owed


def _received(
    arrival: _Arrival, matters: Iterable[_Matter], ids: tuple[str, ...]
) -> tuple[Report, tuple[Notice, ...]]:
    """The report with what its reporter is told at once."""
    account, now = arrival.account, arrival.now
    answers = [Answered(matter.service.title, matter.decision) for matter in matters]
    due = [a.decision.respond_by for a in answers if a.decision.respond_by is not None]
    made = Report(
        reference=arrival.reference,
        tenant=account.tenant,
        services=account.services,
        started=account.started,
        started_at=account.started_at,
        errors=account.errors,
        all_users=account.all_users,
        contact=account.contact,
        reported_at=now.at,
        respond_by=min(due, default=None),
        instead=account.instead,
        key=account.key,
        incidents=ids,
    )
    text = replying.received_text(answers, now.at, arrival.mind.desk)
    return told(arrival.mind, now, made, ReportMessageKind.RECEIVED, text)
