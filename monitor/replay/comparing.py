"""What would have been declared beside what was.

Two spells are the same outage when they are of one service, one impact and, where both name it,
one check, and overlap. Of several, the one detected nearest is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import isnan
from pathlib import Path

from monitor.model import Impact, Outage
from monitor.replay.lines import Said, instant_of, read_lines, text_of, word_of

_IMPACTS = {impact.value: impact for impact in Impact if impact is not Impact.NONE}
_ALIKE = 1.0
"""Seconds that are no difference."""


@dataclass(frozen=True, slots=True)
class Spell:
    """A time during which a service was said to be out.

    `began` and `ended` are None where it is not known or has not ended; `check` "" for any.
    """

    service: str
    impact: Impact
    detected: datetime
    began: datetime | None = None
    ended: datetime | None = None
    check: str = ""


class Kind(StrEnum):
    """How what would have been declared differs from what was."""

    SAME = "same"
    EARLIER = "earlier"
    LATER = "later"
    ADDED = "added"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One outage on both sides. `seconds`: how much later it would have been detected.

    `would` is None when it is MISSING, `was` when it is ADDED; `seconds` is 0 for both.
    """

    kind: Kind
    would: Spell | None
    was: Spell | None
    seconds: float = 0.0


def spell_of(outage: Outage) -> Spell:
    """An outage as a spell; it ended when it recovered."""
    ended = outage.recovered.before if outage.recovered else outage.closed_at
    return Spell(
        outage.service,
        outage.impact,
        outage.detected_at,
        outage.began.before,
        ended,
        outage.check,
    )


def read_spells(path: Path) -> list[Spell]:
    """Spells of a file, one JSON object a line. Raises HistoryError with every mistake in it."""
    return read_lines(path, _spell)


def compare(would: Sequence[Spell], was: Sequence[Spell]) -> list[Difference]:
    """Every outage of either side, in order of detection."""
    left = sorted(would, key=_detected)
    found = []
    for spell in sorted(was, key=_detected):
        same = [other for other in left if _same(spell, other)]
        nearest = min(same, key=lambda o: abs(o.detected - spell.detected), default=None)
        if nearest is None:
            found.append(Difference(Kind.MISSING, None, spell))
        else:
            left.remove(nearest)
            found.append(_both(nearest, spell))
    found += [Difference(Kind.ADDED, spell, None) for spell in left]
    return sorted(found, key=_first_detected)


def _both(would: Spell, was: Spell) -> Difference:
    seconds = (would.detected - was.detected).total_seconds()
    if abs(seconds) <= _ALIKE:
        return Difference(Kind.SAME, would, was, seconds)
    return Difference(Kind.LATER if seconds > 0 else Kind.EARLIER, would, was, seconds)


def _same(one: Spell, other: Spell) -> bool:
    if (one.service, one.impact) != (other.service, other.impact):
        return False
    if one.check and other.check and one.check != other.check:
        return False
    return _starts(one) <= _ends(other) and _starts(other) <= _ends(one)


def _starts(spell: Spell) -> datetime:
    return min(spell.began or spell.detected, spell.detected)


def _ends(spell: Spell) -> datetime:
    return spell.ended or datetime.max.replace(tzinfo=UTC)


def _detected(spell: Spell) -> datetime:
    return spell.detected


def _first_detected(difference: Difference) -> datetime:
    return min(spell.detected for spell in (difference.would, difference.was) if spell)


def _spell(said: Said, flaws: list[str]) -> Spell:
    impact = word_of(said, "impact", _IMPACTS, flaws, Impact.ALL) or Impact.ALL
    detected = _instant(said, "detected", flaws)
    return Spell(
        text_of(said, "service", flaws),
        impact,
        detected or datetime.max.replace(tzinfo=UTC),
        _instant(said, "began", flaws) if said.get("began") is not None else None,
        _instant(said, "ended", flaws) if said.get("ended") is not None else None,
        text_of(said, "check", flaws, ""),
    )


def _instant(said: Said, key: str, flaws: list[str]) -> datetime | None:
    seconds = instant_of(said, key, flaws)
    return None if isnan(seconds) else datetime.fromtimestamp(seconds, UTC)
