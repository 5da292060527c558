"""Whatever happens to services that share a page, nobody is left unpaged and no alert unclosed.

Verdicts come in any order, people acknowledge, time passes, support closes, and the process is
killed after any change and starts again from what was written. Some are silenced for a while. After
every single change:

- every open critical incident is told of, on every channel that reaches it, in an alert that was
  triggered and is not resolved;
- once a step is over, none that fails, has no person and is not silenced rests on the alert of one
  resolved;
- an alert of on-call's is acknowledged exactly while everyone who is told of there has a person,
  but for what a silence puts off;
- in an alert nothing comes before its trigger or after its resolve, in order of its numbers.

Once support has closed and nobody has or silenced what fails, on-call has been alerted since. Once
everything is over, every alert has been resolved.
"""

import itertools
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import judge
from monitor.clock import Now
from monitor.hours import is_open, last_closing
from monitor.incident import to_accept, waits
from monitor.judge import Mind
from monitor.judge.cases import Case, departed, incident_changes
from monitor.judge.duties import fallen_due
from monitor.judge.linking import linked_back
from monitor.judge.paging import unattended
from monitor.judge.silencing import run_out
from monitor.model import STAFF, Action, Change, Channel, Impact, Interval, Priority, Role, Stage
from monitor.policy import PolicySettings
from tests.day import CALENDAR, DESK, PAGER, local, told_of
from tests.estates import check, estate, service
from tests.policy_fixtures import down_for_all

SERVICES = {
    name: service(name, check(name), depends_on=dependencies)
    for name, dependencies in {
        "crm": ("erp",),
        "sites": ("erp", "database"),
        "website": ("erp",),
        "orders": ("database",),
    }.items()
}
CHANNELS = (PAGER, DESK, Channel("both", "webhook", STAFF, None))
MOVES = ("fails", "fails", "recovers", "ends", "acknowledged")
QUIET = ("silenced", "unsilenced")
NAMES = ("crm", "crm", "sites", "sites", "website", "orders")
STEPS = st.lists(
    st.sampled_from(
        [
            *itertools.product(MOVES, NAMES),
            *itertools.product(QUIET, ("crm", "sites")),
            *(("passes", seconds) for seconds in (1, 30, 91, 600, 1200, 3600)),
            *(("killed", unwritten) for unwritten in (0, 1, 2, 3)),
        ]
    ),
    min_size=10,
    max_size=30,
).map(lambda steps: [("fails", "crm"), ("fails", "sites"), *steps])
"""Two services fail together, then anything happens."""


class Shift:
    """One mind without detection, and everything that was written, one change after another."""

    def __init__(self, begins):
        self.at = local(begins)
        self.began = self.at
        self.ids = itertools.count(1)
        self.written = []
        self.undone = 0
        self.mind = self.made()

    def made(self):
        return Mind(
            estate(*SERVICES.values()),
            CALENDAR,
            PolicySettings(),
            CHANNELS,
            "i",
            "http://monitor",
            lambda _at: f"id{next(self.ids):04}",
            None,
        )

    # ------------------------------------------------------------------ what happens

    def does(self, step, what):
        if step == "passes":
            self.at += timedelta(seconds=what)
            self.falls_due()
        elif step == "killed":
            self.killed(what)
        elif step == "acknowledged":
            self.acknowledged(what)
        elif step in QUIET:
            self.silenced(what, wanted=step == "silenced")
        else:
            self.verdict(what, step)
        none_rests_on_what_is_over(self)

    def falls_due(self):
        """What is due by now, as every tick does."""
        self.writes(run_out(self.mind, self.now()))
        self.writes(fallen_due(self.mind, self.now()))
        assert fallen_due(self.mind, self.now()) == []

    def verdict(self, name, step):
        known = self.mind.open.get(f"v1:{name}:all")
        if known is None and step != "fails":
            return
        if step == "ends" and known.watch_until is None:
            self.verdict(name, "recovers")
        stages = {"fails": Stage.FAILING, "recovers": Stage.WATCHING, "ends": Stage.CLOSED}
        self.writes(incident_changes(self.case(name, stages[step])))

    def case(self, name, stage):
        found = replace(
            down_for_all(SERVICES[name], self.at),
            stage=stage,
            recovered=Interval(self.at, self.at) if stage is not Stage.FAILING else None,
            watch_until=self.at + timedelta(minutes=10) if stage is Stage.WATCHING else None,
        )
        return Case(self.mind, self.now(), f"v1:{name}:all", SERVICES[name], found)

    def acknowledged(self, name):
        incident = self.mind.open.get(f"v1:{name}:all")
        if incident is not None and (waits(incident) or to_accept(incident)):
            self.writes([judge.acknowledge(self.mind, incident.number, "Robin", self.now())[1]])

    def silenced(self, name, *, wanted):
        """For a quarter of an hour, or no longer."""
        incident = self.mind.open.get(f"v1:{name}:all")
        if incident is None:
            return
        if wanted:
            for_ = {"reason": "known", "lasts": timedelta(minutes=15)}
            self.writes([judge.silence(self.mind, incident.number, "Robin", self.now(), **for_)[1]])
        elif incident.silenced is not None:
            self.writes([judge.end_silence(self.mind, incident.number, "Sam", self.now())[1]])

    def killed(self, unwritten):
        """The process dies before the last of what it thought at once was written."""
        del self.written[len(self.written) - min(unwritten, max(0, self.undone - 1)) :]
        self.undone = 0
        incidents = self.incidents()
        still = [incident for incident in incidents.values() if incident.resolved_at is None]
        hosts = {incident.paged_with for incident in still}
        self.mind = self.made()
        self.mind.next_number = max((i.number for i in incidents.values()), default=0) + 1
        self.mind.open = {incident.subject: incident for incident in still}
        self.mind.ended = {
            i.id: i for i in incidents.values() if i.id in hosts and i.resolved_at is not None
        }
        for notice in self.notices():
            self.mind.sequences[notice.incident_id] = max(
                notice.seq, self.mind.sequences.get(notice.incident_id, 0)
            )
        self.writes([*linked_back(self.mind, self.now()), *departed(self.mind, self.now())])

    def writes(self, changes):
        made = [change for change in changes if change != Change()]
        self.undone = len(made)
        for change in made:
            known = self.incidents().get(change.incident.id)
            assert change.was_version == (known.version if known else None)
            self.written.append(change)
            holds(self)

    # ------------------------------------------------------------------ what came of it

    def now(self):
        return Now(self.at, (self.at - self.began).total_seconds())

    def incidents(self):
        return {change.incident.id: change.incident for change in self.written}

    def notices(self):
        return [notice for change in self.written for notice in change.notices]


def holds(shift):
    """What must be true after every change."""
    notices = shift.notices()
    assert len({n.key for n in notices}) == len(notices)
    still = [i for i in shift.incidents().values() if i.resolved_at is None]
    for channel in CHANNELS:
        mine = [n for n in notices if n.channel == channel.name]
        states, told_in = followed(mine)
        reached = [i for i in still if set(channel.roles) & set(i.route)]
        for incident in reached:
            assert incident.priority is Priority.CRITICAL
            assert incident.impact is Impact.ALL
            where = told_in[incident.number]
            assert states[where] in ("open", "taken"), (channel.name, incident.number)
        for where, state in states.items():
            there = [i for i in reached if told_in[i.number] == where]
            assert (state == "closed") == (not there)
            taken = state == "taken"
            if any(i.silenced is not None for i in there):
                continue
            if there and Role.ON_CALL in channel.roles:
                assert taken == (not any(waits(i) for i in there))
            elif there:
                assert taken or any(waits(i) for i in there)
                assert not taken or all(i.acknowledged_at for i in there)


def none_rests_on_what_is_over(shift):
    """Who fails, and has no person, is told of where an incident is open."""
    incidents = shift.incidents().values()
    over = {i.id for i in incidents if i.resolved_at is not None}
    loud = [i for i in incidents if i.resolved_at is None and i.silenced is None]
    failing = {i.number for i in loud if unattended(i)}
    for channel in CHANNELS:
        _, told_in = followed([n for n in shift.notices() if n.channel == channel.name])
        assert not [n for n in failing & told_in.keys() if whose(told_in[n]) in over]


def whose(alert):
    """The id of the incident whose alert it is."""
    return alert.rpartition(":")[2].partition(".")[0]


def on_call_was_told_since_support_closed(shift):
    """Whatever fails and has no person is in an alert of on-call's that is younger."""
    shift.falls_due()
    if is_open(CALENDAR, shift.at):
        return
    closed_at = last_closing(CALENDAR, shift.at)
    mine = [n for n in shift.notices() if n.channel == PAGER.name]
    began = {n.dedup_key: n.created_at for n in mine if n.action is Action.TRIGGER}
    _, told_in = followed(mine)
    for incident in shift.mind.open.values():
        if unattended(incident) and incident.silenced is None:
            assert began[told_in[incident.number]] >= closed_at


def followed(notices):
    """The state of each alert, and in which each incident was last told of."""
    states, told_in, last = {}, {}, {}
    for notice in notices:
        where, action = notice.dedup_key, notice.action.value
        assert notice.seq > last.get(whose(where), 0)
        last[whose(where)] = notice.seq
        told = told_of(notice)
        if action == "trigger":
            assert where not in states
            # Whoever is told only after a person took it needs nobody any more.
            states[where] = "open" if waits(told) else "taken"
            # Who is told of in an alert goes with it into the next.
            earlier = [n for n, alert in told_in.items() if whose(alert) == whose(where)]
            told_in |= dict.fromkeys(earlier, where)
        assert states[where] != "closed"
        if whose(told_in.get(told.number, "")) != told.id:
            # Who has a conversation of its own stays there, whatever its host's last word is.
            told_in[told.number] = where
        if action in ("acknowledge", "resolve"):
            states[where] = "taken" if action == "acknowledge" else "closed"
    return states, told_in


@settings(max_examples=150, deadline=None)
@given(
    begins=st.sampled_from(
        [
            "Mon 2026-11-23 08:28",
            "Mon 2026-11-23 10:00",
            "Tue 2026-11-24 02:00",
            "Thu 2026-11-26 16:40",
            "Thu 2026-11-26 16:59",
        ]
    ),
    steps=STEPS,
)
def test_every_open_incident_is_told_of_and_every_alert_is_closed(begins, steps):
    shift = Shift(begins)
    for step, what in steps:
        shift.does(step, what)
    on_call_was_told_since_support_closed(shift)
    for name in SERVICES:
        shift.does("ends", name)
    for channel in CHANNELS:
        states, _ = followed([n for n in shift.notices() if n.channel == channel.name])
        assert set(states.values()) <= {"closed"}
    assert shift.mind.ended == {}


@settings(max_examples=50, deadline=None)
@given(steps=STEPS)
def test_links_are_always_both_ways(steps):
    shift = Shift("Mon 2026-11-23 10:00")
    for step, what in steps:
        shift.does(step, what)
        named = shift.incidents()
        pairs = {(one.id, other) for one in named.values() for other in one.linked}
        assert pairs == {(other, one) for one, other in pairs}
