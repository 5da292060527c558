"""What a customer who reported something is told, at each of three turns.

    received       at once
    acknowledged   when a person has answered the last of the incidents that it opened or joined
    resolved       when the last of them is over, by a person or by the probes

Each is written with the move that brought it about, is kept with the report, and is owed to every
channel with the role `reporter`: by a notice of its own that is about no alert.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.clock import Now
from monitor.incident import replying
from monitor.judge.mind import Mind
from monitor.model import (
    Action,
    Channel,
    Incident,
    Message,
    Notice,
    Report,
    Reporter,
    ReportMessage,
    ReportMessageKind,
    Role,
)

_ORDER = {kind: place for place, kind in enumerate(ReportMessageKind, start=1)}


def told(
    mind: Mind, now: Now, report: Report, kind: ReportMessageKind, text: str
) -> tuple[Report, tuple[Notice, ...]]:
    """The report with one more message to its reporter, and the notices that carry it.

    A report that is settled is in mind no longer.
    """
    message = ReportMessage(now.at, kind, text)
    report = replace(report, messages=(*report.messages, message))
    if report.settled_at is None:
        mind.reports[report.reference] = report
    else:
        mind.reports.pop(report.reference, None)
    channels = [channel for channel in mind.channels if Role.REPORTER in channel.roles]
    return report, tuple(_notice(mind, now, channel, report, message) for channel in channels)


def reporters_told(
    mind: Mind, now: Now, moved: Incident
) -> tuple[tuple[Report, ...], tuple[Notice, ...]]:
    """What those who reported an incident learn of its move, once that is in mind.

    The reports as they are now, and the notices owed of that.
    """
    reports: list[Report] = []
    notices: list[Notice] = []
    for reference in dict.fromkeys(each.reference for each in moved.reports):
        known = mind.reports.get(reference)
        turned = known and _turned(mind, now, known, moved)
        if turned:
            reports.append(turned[0])
            notices += turned[1]
    return tuple(reports), tuple(notices)


def _turned(
    mind: Mind, now: Now, report: Report, moved: Incident
) -> tuple[Report, tuple[Notice, ...]] | None:
    still = [each for each in mind.open.values() if each.id in report.incidents]
    if not still:
        text = replying.ended_text(now.at, false_alarm=moved.false_alarm)
        settled = replace(report, settled_at=now.at)
        return told(mind, now, settled, ReportMessageKind.RESOLVED, text)
    if report.answered_at is not None or any(_waits(each, report) for each in still):
        return None
    answered = replace(report, answered_at=now.at)
    text = replying.acknowledged_text(now.at)
    return told(mind, now, answered, ReportMessageKind.ACKNOWLEDGED, text)


def _waits(incident: Incident, report: Report) -> bool:
    return any(
        each.reference == report.reference and each.answered_at is None for each in incident.reports
    )


def _notice(
    mind: Mind, now: Now, channel: Channel, report: Report, message: ReportMessage
) -> Notice:
    dedup_key = f"{mind.instance}:report-{report.reference}"
    return Notice(
        id=mind.mint(now.at),
        incident_id=None,
        channel=channel.name,
        action=Action.TELL,
        seq=_ORDER[message.kind],
        key=f"{dedup_key}:{channel.name}:{message.kind}",
        dedup_key=dedup_key,
        message=Message(
            replying.headline(report, message.kind),
            (message.text,),
            None,
            {"Status": f"{mind.public_url}/reports/{report.reference}"},
            report=Reporter(report.reference, report.contact, report.tenant),
        ),
        created_at=now.at,
        due_at=now.at,
    )
