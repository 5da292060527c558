"""A person's silence over an incident: how it begins, what breaks it, how it ends.

While an incident is silenced it lives on as ever, and every move stands in its timeline; but of
its moves receivers learn two only: that a person has it, which quiets them too, and that it is
over. What was owed before the silence is still delivered.

    it gets wider        another check of the service is down for everyone, its priority rises, or
                         more people are to be told: the silence is over, on-call is paged by a new
                         alert, everybody else is told
    its time is over     one notice says so and what happened meanwhile. Where it still fails and
                         waits for a person, on-call gets it as a new alert, for a repeat under the
                         same key pages nobody. Where it has recovered by then, what a closing of
                         support would have alerted of falls due should it fail again
    a person ends it     the same
    it is resolved       it is over, silence and all

What fails for everyone where a part was silenced is an incident of its own, which is not. A
silenced incident takes no guests in (`paging.py`), and as a guest it leaves its host only when the
silence is over.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.clock import Now
from monitor.incident import lifecycle, standing, wording
from monitor.judge import paging
from monitor.judge.mind import ACTOR, Mind, move_of, numbered, remembered
from monitor.judge.notices import notices_of, paged_anew
from monitor.model import (
    Action,
    Change,
    EventKind,
    Impact,
    Incident,
    Notice,
    Role,
    Silence,
    TimelineEvent,
)

LONGEST = timedelta(hours=8)
"""No silence lasts longer; another one may follow."""

Broken = tuple[Incident, tuple[Notice, ...], tuple[TimelineEvent, ...]]
"""The incident without its silence, whom that is told, and the line of its timeline."""


def silence(
    mind: Mind, number: int, by: str, now: Now, *, reason: str, lasts: timedelta
) -> tuple[Incident, Change]:
    """A person silences an incident from now on, or longer or shorter than it is already.

    Raises `KeyError` when no open incident has the number, `ValueError` when `lasts` is not more
    than 0 and at most `LONGEST`.
    """
    if not timedelta(0) < lasts <= LONGEST:
        raise ValueError("a silence lasts more than 0 and at most 8 hours")
    incident = numbered(mind, number)
    before = incident.silenced
    silence = Silence(by, reason, now.at, now.at + lasts)
    if before is not None:
        silence = replace(before, by=by, reason=reason, until=silence.until)
    moved = lifecycle.silence(incident, silence)
    text = wording.silenced_text(silence)
    change = move_of(mind, now, incident, moved, EventKind.SILENCED, text=text, by=by)
    remembered(mind, [change])
    return moved, change


def end_silence(mind: Mind, number: int, by: str, now: Now) -> tuple[Incident, Change]:
    """A person ends a silence before its time.

    Raises `KeyError` when no open incident has the number, `incident.IllegalTransition` when it is
    not silenced.
    """
    incident = numbered(mind, number)
    if incident.silenced is None:
        raise lifecycle.IllegalTransition(incident, lifecycle.Happening.UNSILENCE)
    change = _ended(mind, now, incident, incident.silenced, by=by)
    remembered(mind, [change])
    return mind.open[incident.subject], change


def run_out(mind: Mind, now: Now) -> list[Change]:
    """Every silence whose time is over ends."""
    silenced = [(each, each.silenced) for each in mind.open.values() if each.silenced is not None]
    over = [(each, silence) for each, silence in silenced if silence.until <= now.at]
    return [
        _ended(mind, now, incident, silence)
        for incident, silence in sorted(over, key=lambda pair: pair[0].number)
    ]


def broken(
    mind: Mind, now: Now, before: Incident, moved: Incident, *, text: str, higher: bool
) -> Broken | None:
    """What a move does that makes a silenced incident wider; None where it is or does neither.

    `text` says what became of it; `higher` is that more people are to be told, or more urgently.
    """
    silence = before.silenced
    checks = moved.impact is Impact.ALL and not set(moved.checks) <= set(before.checks)
    if silence is None or not (higher or checks):
        return None
    over = wording.silence_broken_text(silence)
    story = _meanwhile(mind, moved, silence)
    wider = before if higher else None
    moved, notices = _told_again(
        mind, now, moved, f"{text} {over}", wider=wider, lead="Worse: ", story=story, pages=True
    )
    return moved, notices, (TimelineEvent(moved.id, now.at, ACTOR, EventKind.SILENCE_OVER, over),)


def _ended(
    mind: Mind, now: Now, incident: Incident, silence: Silence, *, by: str | None = None
) -> Change:
    text = wording.silence_over_text(silence, by)
    pages = incident.watch_until is None and standing.waits(incident)
    story = _meanwhile(mind, incident, silence)
    moved, notices = _told_again(
        mind, now, incident, text, lead="No longer silenced: ", story=story, pages=pages
    )
    kind = EventKind.SILENCE_OVER
    return move_of(mind, now, incident, moved, kind, text=text, notices=notices, by=by or ACTOR)


def _meanwhile(mind: Mind, incident: Incident, silence: Silence) -> tuple[str, ...]:
    """The lines of its timeline that nobody was told of."""
    missed = [
        event
        for event in mind.timelines.get(incident.id, ())
        if event.at >= silence.since and event.kind is not EventKind.SILENCED
    ]
    return ("Meanwhile:", *wording.story_lines(missed)) if missed else ()


def _told_again(
    mind: Mind,
    now: Now,
    moved: Incident,
    text: str,
    *,
    lead: str,
    story: tuple[str, ...],
    pages: bool,
    wider: Incident | None = None,
) -> tuple[Incident, tuple[Notice, ...]]:
    """The incident without its silence, and what is owed of that: new alerts where it `pages`.

    `wider` is the incident as it was while its route was narrower.
    """
    own = _alerts(mind, moved) if pages else []
    before, moved = moved, lifecycle.end_silence(moved, own, paged=pages)
    # It leaves where it was told of, not where a wider route would have it told of now.
    leaving = (wider or moved) if pages and moved.paged_with else None
    moved, anew = paged_anew(
        mind, now, before, moved, text=text, lead=lead, leaving=leaving, story=story
    )
    paged = {*own, *(notice.channel for notice in anew)}
    told = notices_of(mind, now, moved, Action.UPDATE, text, before=wider, story=story)
    return moved, (*anew, *(notice for notice in told if notice.channel not in paged))


def _alerts(mind: Mind, incident: Incident) -> list[str]:
    """The on-call channels on which it has an alert of its own, which pages nobody again."""
    return [
        channel.name
        for channel in mind.channels
        if Role.ON_CALL in channel.roles
        and paging.reaches(mind, channel, incident)
        and channel.name in incident.paged
    ]
