"""The words about customers' reports: on timelines and in notices, and to the reporter.

What a customer typed stands on timelines and in the lines of notices, verbatim, and never in a
headline. A reporter is told of his own report only: no incident's number, no name of a person, no
other customer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.incident.wording import moment
from monitor.model import (
    Account,
    Decision,
    DecisionReason,
    Priority,
    Report,
    ReportedBy,
    ReportMessageKind,
)

UNCONFIRMED = "Reported by customer, not confirmed by probes."
"""How it is known what only a customer's report says."""

_WHY_STANDARD = {
    DecisionReason.ON_PREMISE: "runs on your own premises, which critical support excludes",
    DecisionReason.DESKTOP: "runs on the desktop, which critical support excludes",
    DecisionReason.VERSION_6: "is of Version 6, which critical support excludes",
    DecisionReason.NOT_CORE: "is not one of the services that critical support covers",
    DecisionReason.REPORTED_IN_PART: "is not reported as stopped for all your users",
    DecisionReason.REPORTED_ANONYMOUSLY: "was reported without a customer's token",
}
_HEADLINES = {
    ReportMessageKind.RECEIVED: "received",
    ReportMessageKind.ACKNOWLEDGED: "a person has it",
    ReportMessageKind.RESOLVED: "resolved",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """What is answered to a report of one service: its title, and what policy decides."""

    title: str
    decision: Decision


def who(tenant: str | None) -> str:
    """Who reported, for people of the support."""
    return "an unknown customer" if tenant is None else tenant


def account_text(account: Account, reference: str) -> str:
    """A report as it stands on a timeline: who, since when, and verbatim what was seen."""
    stopped = "all users are stopped" if account.all_users else "not all users are stopped"
    return (
        f"Reported by {who(account.tenant)} as {reference}: since {moment(account.started_at)} "
        f"(typed: {account.started}); {stopped}; {seen_words(account)}"
    )


def seen_words(account: Account) -> str:
    """The error messages verbatim, or what happened where none was shown."""
    if account.errors:
        return f"errors: {account.errors}"
    return f"no error was shown; what happened instead: {account.instead}"


def joined_text(account: Account) -> str:
    """That a report joins an incident, in our own words only."""
    stopped = ", and says that all its users are stopped" if account.all_users else ""
    return f"Joined by a report of {who(account.tenant)}{stopped}."


def waits_text(reported: ReportedBy) -> str:
    """A report that joined an acknowledged incident waits for an answer of its own."""
    due = "" if reported.respond_by is None else f" by {moment(reported.respond_by)}"
    return f"It waits for an answer of its own{due}: acknowledge again."


def answered_text(by: str) -> str:
    """A person answers who reported it since it was acknowledged."""
    return f"Reports that joined since are answered by {by}."


_SHARES = {0.5: "Half of the time", 0.75: "Three quarters of the time"}


def report_warning_text(reported: ReportedBy, share: float) -> str:
    """Nobody has answered a report, and so much of the time for it is over; 1 is the breach."""
    of = f"the report of {who(reported.tenant)}, which came after the acknowledgement"
    due = "" if reported.respond_by is None else moment(reported.respond_by)
    if share >= 1:
        return f"Response target missed: nobody had answered {of}, by {due}."
    return f"{_SHARES[share]} to answer {of}, is over. Due {due}: acknowledge again."


# --------------------------------------------------------------------------- to the reporter


def headline(report: Report, kind: ReportMessageKind) -> str:
    """The first line of a message to the reporter."""
    return f"Your report {report.reference}: {_HEADLINES[kind]}"


def received_text(answers: Sequence[Answered], at: datetime, desk: str) -> str:
    """What the reporter is told at once: what is promised, and where the rest goes.

    `desk` says how the normal service desk is reached, "" where that is not configured.
    """
    said = [f"Received {moment(at)}."]
    critical = [a for a in answers if a.decision.priority is Priority.CRITICAL]
    due = critical[0].decision.respond_by if critical else None
    if due is not None:
        named = " and ".join(answer.title for answer in critical)
        said.append(f"{named}: business critical. A person responds by {moment(due)}.")
    others = [a for a in answers if a.decision.priority is not Priority.CRITICAL]
    said += [_standard_words(answer) for answer in others]
    if others:
        said.append(_desk_words(others[0].decision, desk))
    return " ".join(said)


def _standard_words(answer: Answered) -> str:
    why = _WHY_STANDARD.get(answer.decision.reason, "is not business critical")
    return f"{answer.title} {why}: it is looked after by the service desk."


def _desk_words(decision: Decision, desk: str) -> str:
    way = f"The normal service desk: {desk}." if desk else "Please use the normal service desk."
    opening = f"opens next {moment(decision.next_opening)}"
    if decision.support_open:
        return f"{way} Support is open now, and {opening}."
    return f"{way} Support is closed now; it {opening}."


def acknowledged_text(at: datetime) -> str:
    """A person has taken on what was reported."""
    return f"A person took this on {moment(at)}."


def ended_text(at: datetime, *, false_alarm: bool) -> str:
    """What was reported is over."""
    if false_alarm:
        return f"Closed {moment(at)}: no fault was found. If it still fails, report it again."
    return f"Resolved {moment(at)}. If it still fails for you, report it again."
