"""What one unit has declared and not yet closed.

A unit has a track for ALL, one for SOME, one for SOME of what has never worked, and two for when
we cannot tell: LOCKED_OUT, and an edge that has TURNED_ON_US. The monitor itself has one for
being BLIND. On each:

    (none)    declare -> FAILING, episode 1
    FAILING   declare -> FAILING, told again only when the extent or the reason changed
    FAILING   recover -> WATCHING until the merge window has passed
    WATCHING  declare -> FAILING, the next episode of the same outage
    WATCHING  time    -> CLOSED, and forgotten
    any       supersede -> CLOSED: now it is known to be something else

The start is that of the first episode and never changes. With `flap_episodes` starts within
`flap_window` an outage of ALL or SOME is FLAPPING and is watched for the whole `flap_window`. The
last starts are carried in what is declared, so that a later process can count on.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from monitor.detection.signals import Declared, Span
from monitor.model import Extent, Impact, Result, Rules, Stage, VerdictReason


class Track(StrEnum):
    """Which of a unit's outages."""

    ALL = "all"
    SOME = "some"
    NEVER_WORKED = "never_worked"
    LOCKED_OUT = "locked_out"
    TURNED_ON_US = "turned_on_us"
    BLIND = "blind"


_IMPACT = {
    Track.ALL: Impact.ALL,
    Track.SOME: Impact.SOME,
    Track.NEVER_WORKED: Impact.SOME,
    Track.LOCKED_OUT: Impact.UNKNOWN,
    Track.TURNED_ON_US: Impact.UNKNOWN,
    Track.BLIND: Impact.UNKNOWN,
}


_OWN_TRACK = (
    VerdictReason.NEVER_WORKED,
    VerdictReason.LOCKED_OUT,
    VerdictReason.TURNED_ON_US,
    VerdictReason.BLIND,
)


def track_of(impact: Impact, reason: VerdictReason) -> Track:
    """The track on which such an outage runs."""
    if reason in _OWN_TRACK:
        return Track(reason.value)
    return Track.ALL if impact is Impact.ALL else Track.SOME


class Outages:
    """The open outages of one unit, by track."""

    __slots__ = ("_rules", "_unit", "open")

    def __init__(self, unit: str, rules: Rules) -> None:
        self.open: dict[Track, Declared] = {}
        self._unit = unit
        self._rules = rules

    def stage(self, track: Track) -> Stage | None:
        """Where the outage on a track stands; None when there is none."""
        declared = self.open.get(track)
        return declared.stage if declared else None

    def failing(self, track: Track) -> bool:
        """Whether the outage on a track is going on."""
        return self.stage(track) is Stage.FAILING

    def restore(self, declared: Declared) -> None:
        """Take up an outage that was open when an earlier process ended."""
        self.open[track_of(declared.impact, declared.reason)] = declared

    def declare(
        self,
        track: Track,
        *,
        reason: VerdictReason,
        extent: Extent,
        began: Span,
        known_by: str,
        results: tuple[Result, ...],
        now: float,
    ) -> list[Declared]:
        """Declare that a track is failing; what there is to tell, if anything."""
        was = self.open.get(track)
        fresh = Declared(
            unit=self._unit,
            impact=_IMPACT[track],
            stage=Stage.FAILING,
            reason=reason,
            at=now,
            extent=extent,
            began=began,
            known_by=known_by,
            results=results,
            starts=(now,),
        )
        if was is None:
            return self._tell(track, fresh)
        fresh = replace(fresh, began=was.began, episode=was.episode, starts=was.starts)
        if was.stage is Stage.WATCHING:
            return self._tell(track, self._relapse(fresh))
        if was.reason is VerdictReason.FLAPPING:
            fresh = replace(fresh, reason=was.reason)
        same = (was.extent.dimension, was.extent.members) == (extent.dimension, extent.members)
        if same and fresh.reason in (was.reason, VerdictReason.ONE_LOCATION):
            return []
        return self._tell(track, fresh)

    def recover(self, track: Track, span: Span, now: float) -> list[Declared]:
        """Declare that a track has recovered; nothing when it was not failing."""
        was = self.open.get(track)
        if was is None or was.stage is not Stage.FAILING:
            return []
        flapping = was.reason is VerdictReason.FLAPPING
        quiet = self._rules.flap_window if flapping else self._rules.merge_window
        return self._tell(
            track,
            replace(
                was,
                stage=Stage.WATCHING,
                at=now,
                recovered=span,
                watch_until=now + quiet,
                results=(),
            ),
        )

    def supersede(self, track: Track, now: float) -> list[Declared]:
        """Close what stands on a track at once: it is known now to be something else."""
        was = self.open.pop(track, None)
        if was is None:
            return []
        return [
            replace(was, stage=Stage.CLOSED, at=now, recovered=was.recovered or Span(None, now))
        ]

    def close_watched(self, now: float) -> list[Declared]:
        """Close what has been watched long enough."""
        told: list[Declared] = []
        if not self.open:
            return told
        for track, declared in list(self.open.items()):
            if declared.watch_until is not None and declared.watch_until <= now:
                del self.open[track]
                told.append(replace(declared, stage=Stage.CLOSED, at=now))
        return told

    def shift(self, by: float) -> None:
        """Time passed unobserved: what is watched is watched that much longer."""
        for track, declared in self.open.items():
            if declared.watch_until is not None:
                self.open[track] = replace(declared, watch_until=declared.watch_until + by)

    def wake_at(self) -> float:
        """When the next watched outage may close."""
        if not self.open:
            return float("inf")
        return min(
            (d.watch_until for d in self.open.values() if d.watch_until), default=float("inf")
        )

    def _relapse(self, fresh: Declared) -> Declared:
        starts = (*fresh.starts, fresh.at)[-self._rules.flap_episodes :]
        often = len(starts) == self._rules.flap_episodes
        flapping = often and fresh.at - starts[0] <= self._rules.flap_window
        own = fresh.reason in _OWN_TRACK
        reason = VerdictReason.FLAPPING if flapping and not own else fresh.reason
        return replace(fresh, episode=fresh.episode + 1, reason=reason, starts=starts)

    def _tell(self, track: Track, declared: Declared) -> list[Declared]:
        self.open[track] = declared
        return [declared]
