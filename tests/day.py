"""A day at the monitor, on virtual time: faults at times of day, and what comes of them.

    day = Day("Mon 2026-11-23 08:50")
    day.fails("crm", "08:58:01", until="09:20")
    day.reports("crm", tenant="acme", began="09:00", errors="503")
    day.runs_until("10:00")
    day.incidents   ->  every Incident as it was last written, by number
    day.timeline(1) ->  its lines as (time, kind)
    day.notices     ->  every Notice owed, in order

Times are London's. Everything from a probe's result to the change that would be committed is the
real judge; only the network, the store and time are absent.
"""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from monitor import judge
from monitor.clock import Now
from monitor.detection import Tick
from monitor.engine.recalled import results_recalled
from monitor.hours import Calendar
from monitor.judge import Mind
from monitor.model import CONTROL, Account, Action, Channel, NoticeState, Result, Role
from monitor.policy import PolicySettings
from tests.simulation import Simulation, of, refused

LONDON = ZoneInfo("Europe/London")
NORMAL = (time(8, 30), time(17, 0))
FRIDAY = (time(8, 30), time(16, 30))
CALENDAR = Calendar(
    zone="Europe/London",
    weekly=(NORMAL, NORMAL, NORMAL, NORMAL, FRIDAY, None, None),
    holidays={date(2026, 12, 25): "Christmas Day", date(2026, 12, 28): "Boxing Day (substitute)"},
    extra_closed={},
    extra_open={},
    first_year=2012,
    last_year=2036,
)
PAGER = Channel("pager", "webhook", (Role.ON_CALL,), None)
CUSTOMERS = Channel("customers", "log", (Role.REPORTER,), None)
DESK = Channel("desk", "log", (Role.SERVICE_DESK,), None)


class Day(Simulation):
    """One mind on virtual time from a London time of day."""

    def __init__(self, when, estate, *, channels=(PAGER, DESK), worked=True, like=None):
        self.began = local(when)
        super().__init__(estate, worked=worked)
        self.ids = like.ids if like is not None else itertools.count(1)
        self.mind = Mind(
            estate=estate,
            calendar=CALENDAR,
            policy=PolicySettings(),
            channels=channels,
            instance="i",
            public_url="http://monitor",
            mint=lambda _at: f"id{next(self.ids):04}",
            detection=self.state,
        )
        self.changes = []
        self.written_at = []
        self.written = {}
        self.recorded = []
        self.references = itertools.count(1)
        if like is not None:
            self._take_up(like)

    # ------------------------------------------------------------------ what happens

    def fails(self, service, from_, *, until, how=refused, **where):
        """Cells of a service fail between two times of day."""
        self.breaks(self.mono(from_), self.mono(until), how, of(service, **where))

    def maintenance(self, begins, ends, service="crm", **scope):
        """A maintenance window of a service between two times of day is declared."""
        super().maintenance(self.mono(begins), self.mono(ends), service, **scope)

    def runs_until(self, when):
        """Let time pass."""
        self.run(self.mono(when))
        return self

    def acknowledges(self, number, by):
        """A person acknowledges now."""
        _, change = judge.acknowledge(self.mind, number, by, self.reading())
        self._write(change)

    def resolves(self, number, by, **more):
        """A person says now that an incident is over."""
        _, changes = judge.resolve(self.mind, number, by, self.reading(), **more)
        for change in changes:
            self._write(change)

    def reconciles(self, stands=lambda _trigger: {}):
        """What is owed is compared with the outbox, where every trigger was sent.

        `stands` says what is otherwise about one: fields of the notice, None when it is not there.
        """
        owed = [n for n in self.notices if n.action is Action.TRIGGER]
        sent = {"attempts": 1, "state": NoticeState.SENT}
        triggers = [replace(n, **(sent | stands(n))) for n in owed if stands(n) is not None]
        versions = {i.id: i.version for i in self.mind.open.values()}
        for change in judge.reconciled(self.mind, versions, triggers, self.reading()):
            self._write(change)

    def silences(self, number, by="Robin", *, reason="known", hours=2.0):
        """A person silences an incident from now on."""
        lasts = timedelta(hours=hours)
        _, change = judge.silence(self.mind, number, by, self.reading(), reason=reason, lasts=lasts)
        self._write(change)

    def ends_silence(self, number, by):
        """A person ends a silence now."""
        _, change = judge.end_silence(self.mind, number, by, self.reading())
        self._write(change)

    def notes(self, number, by, text):
        """A person adds a line to a timeline now."""
        incident = self.written[number]
        self._write(judge.annotate(self.mind, incident, by, text, self.reading()))

    def reports(self, *services, tenant="acme", began="00:40", errors="503", **more):
        """A customer reports by hand now; the report as it was taken in."""
        said = {"instead": "", "all_users": True, "contact": "", "key": None} | more
        at = self.began + timedelta(seconds=self.mono(began))
        account = Account(tenant, services or ("crm",), began, at, errors, **said)
        reference = f"REF-{next(self.references)}"
        report, change = judge.report(self.mind, account, reference, self.reading())
        self._write(change)
        return report

    def report(self, reference):
        """A report as it was last written."""
        written = [r for change in self.changes for part in change.parts() for r in part.reports]
        return [each for each in written if each.reference == reference][-1]

    def told_reporter(self, channel="customers"):
        """What a channel for reporters is owed: (headline, its lines)."""
        owed = [n for change in self.changes for n in change.notices if n.channel == channel]
        return [(n.message.headline, *n.message.lines) for n in owed]

    def loses_all_after(self, last):
        """As if killed right after the first change of which `last` is true was written."""
        whole = next(i for i, change in enumerate(self.changes) if last(change))
        self.loses_changes(len(self.changes) - whole - 1)

    def loses_changes(self, number):
        """As if killed before the last so many changes were written.

        A store that takes no change takes no result either: those seen since are lost as well.
        """
        kept = len(self.changes) - number
        if number:
            since = self.written_at[kept]
            self.recorded = [result for result in self.recorded if result.observed_at < since]
        del self.changes[kept:], self.written_at[kept:]
        moved = [part.incident for change in self.changes for part in change.parts()]
        self.written = {incident.number: incident for incident in filter(None, moved)}

    def loses_results_of_the_last(self, seconds):
        """As if killed that long after results were last recorded."""
        end = self.reading().at - timedelta(seconds=seconds)
        self.recorded = [result for result in self.recorded if result.observed_at <= end]

    # ------------------------------------------------------------------ what came of it

    @property
    def incidents(self):
        """Every incident as it was last written."""
        return [self.written[key] for key in sorted(self.written)]

    @property
    def notices(self):
        """Every notice owed of an incident, as it was written."""
        owed = [n for change in self.changes for part in change.parts() for n in part.notices]
        return [notice for notice in owed if notice.incident_id is not None]

    @property
    def digests(self):
        """What each digest with something to tell said: (due as London time of day, message)."""
        made = [change for change in self.changes if change.digest is not None]
        return [(day_time(n.due_at), n.message) for change in made for n in change.notices]

    def told(self, channel):
        """What one channel is owed: (action, due as London time of day)."""
        mine = [n for n in self.notices if n.channel == channel]
        return [(n.action.value, day_time(n.due_at)) for n in mine]

    def said(self, channel):
        """What one channel is owed: (whose conversation, action, of which incident it tells)."""
        mine = [n for n in self.notices if n.channel == channel]
        return [(*conversation(n), told_of(n).number) for n in mine]

    def headlines(self, channel):
        """The first lines of what one channel is owed."""
        return [n.message.headline for n in self.notices if n.channel == channel]

    def lines(self, number, kind):
        """The texts of an incident's lines of one kind."""
        id_ = self.written[number].id
        events = [e for change in self.changes for part in change.parts() for e in part.events]
        return [e.text for e in events if e.incident_id == id_ and e.kind.value == kind]

    def timeline(self, number):
        """The kinds of an incident's lines, in order."""
        id_ = self.written[number].id
        events = [e for change in self.changes for part in change.parts() for e in part.events]
        return [e.kind.value for e in events if e.incident_id == id_]

    # ------------------------------------------------------------------ inside

    def mono(self, when):
        """Monotonic seconds of a London time of day, or of a day and time."""
        at = local(when) if " " in when else at_time(self.began, when)
        return (at - self.began).total_seconds()

    def wall(self, mono):
        """The wall clock at a time of the monotonic one."""
        return self.began + timedelta(seconds=mono)

    def reading(self):
        """The clocks now."""
        return Now(self.wall(self.now), self.now)

    def handle(self, event):
        if isinstance(event, Result) and event.cell.service != CONTROL:
            self.recorded.append(event)
        thought = judge.think(self.mind, event, self.reading())
        for change in thought.changes:
            self._write(change)
        if isinstance(event, Tick):
            self._digest_if_due()
        return thought.probes

    def _digest_if_due(self):
        since = judge.digest_due(self.mind, self.reading().at)
        if since is not None:
            told = [
                i
                for i in self.incidents
                if i.resolved_at is None or max(i.reported_at, i.resolved_at) >= since
            ]
            self._write(judge.digest(self.mind, since, told, self.reading()))

    def _write(self, change):
        self.changes.append(change)
        self.written_at.append(self.reading().at)
        for part in change.parts():
            if part.incident is not None:
                known = self.written.get(part.incident.number)
                assert part.was_version == (known.version if known else None)
                self.written[part.incident.number] = part.incident

    def _take_up(self, like):
        """Start as a process does that finds what another, killed, had written."""
        outages = {}
        for change in like.changes:
            outages |= {outage.id: outage for outage in change.outages}
        still = [outage for outage in outages.values() if outage.closed_at is None]
        unresolved = [i for i in like.incidents if i.resolved_at is None]
        self.written = dict(like.written)
        self.mind.next_number = max(like.written, default=0) + 1
        hosts = {i.paged_with for i in unresolved} - {i.id for i in unresolved}
        self.mind.ended = {i.id: i for i in like.incidents if i.id in hosts}
        self.mind.digested = max((c.digest.opening for c in like.changes if c.digest), default=None)
        parts = [part for change in like.changes for part in change.parts()]
        reports = {report.reference: report for part in parts for report in part.reports}
        self.mind.reports = {r: each for r, each in reports.items() if each.settled_at is None}
        self.references = like.references
        for event in (event for part in parts for event in part.events):
            if event.incident_id in {i.id for i in unresolved}:
                judge.note(self.mind, event)
        for id_ in (*(i.id for i in unresolved), *self.mind.ended):
            seqs = [n.seq for n in like.notices if n.incident_id == id_]
            self.mind.sequences[id_] = max(seqs, default=0)
        seen = like.recorded[-results_recalled(self.estate) :]
        judge.recall(self.mind, seen, self.reading())
        self.recorded = list(like.recorded)
        for change in judge.resume(self.mind, unresolved, still, self.reading(), "Restarted."):
            self._write(change)


def conversation(notice):
    """The number of the incident whose conversation a notice belongs to, and what it asks for."""
    return notice.message.incident.number, notice.action.value


def told_of(notice):
    """The incident that a notice tells of."""
    return notice.message.about or notice.message.incident


def local(text):
    """A London date and time, such as "Mon 2026-11-23 08:50", as UTC; the weekday must be right."""
    *weekday, day, clock = text.split()
    at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=LONDON)
    assert not weekday or at.strftime("%a") == weekday[0], f"{day} is a {at:%a}"
    return at.astimezone(UTC)


def at_time(began, clock):
    """That time of day on or after the day's beginning, in London."""
    first = began.astimezone(LONDON)
    at = datetime.combine(first.date(), time.fromisoformat(clock), LONDON)
    return at.astimezone(UTC)


def day_time(at):
    """An instant as "Mon 08:30:00" in London."""
    return f"{at.astimezone(LONDON):%a %H:%M:%S}"
