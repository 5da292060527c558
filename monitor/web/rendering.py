"""How a page becomes text: the templates with the words they use, and the thread they are drawn in.

Everything that came from elsewhere is escaped by the template engine, or by `drawing.svg` within a
picture. Instants stand in UTC and in London's time where they are told in full; what is a moment
ago or lies on an axis is told by the clock of the support calendar.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from monitor.model import Impact, Interval, Stage
from monitor.web.drawing.lasting import lasting, seconds
from monitor.web.drawing.promise import bar
from monitor.web.drawing.strip import hatches

REFRESH = 15
"""Seconds after which a page asks for itself again."""

IMPACT_WORDS = {
    Impact.NONE: "Working",
    Impact.SOME: "Failing for some",
    Impact.ALL: "Down for everyone",
    Impact.UNKNOWN: "Cannot tell",
}
_LONDON = ZoneInfo("Europe/London")

P = ParamSpec("P")
T = TypeVar("T")


class Press:
    """Draws one page at a time, in a thread, so that whoever waits for the event loop need not.

    Threads take turns at the interpreter: several pages at once would only be later, all of them.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def draws(self, draw: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a function returns that draws, called in a thread in its turn."""
        async with self._turn:
            return await asyncio.to_thread(draw, *args, **kwargs)


@functools.cache
def templates() -> Environment:
    """The pages to be drawn, with the filters that they use; made once."""
    environment = Environment(
        loader=PackageLoader("monitor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["both"] = both_times
    environment.filters["interval"] = interval_words
    environment.filters["impact"] = IMPACT_WORDS.__getitem__
    environment.filters["lasting"] = lasting
    environment.filters["seconds"] = seconds
    environment.filters["bar"] = bar
    environment.filters["share"] = share_words
    environment.globals["watching"] = Stage.WATCHING
    environment.globals["hatches"] = hatches
    return environment


def page(name: str, **values: object) -> str:
    """A page drawn from its template; for a thread, as it may take a while."""
    return templates().get_template(name).render(**values)


@functools.lru_cache(maxsize=4096)
def both_times(at: datetime) -> str:
    """An instant in UTC and in London's time, to the second."""
    at = at.astimezone(UTC)
    utc, london = f"{at:%Y-%m-%d %H:%M:%S} UTC", at.astimezone(_LONDON)
    date = "" if london.date() == at.date() else f"{london:%Y-%m-%d} "
    return f"{utc} ({date}{london:%H:%M:%S} {london.tzname()} in London)"


def interval_words(interval: Interval) -> str:
    """When something happened, as far as it is known."""
    if interval.after is None:
        return f"at or before {both_times(interval.before)}"
    return f"after {both_times(interval.after)}, by {both_times(interval.before)}"


def short(zone: str, now: datetime) -> Callable[[datetime], str]:
    """How instants around `now` are told in short: the local time of `zone`, and the day if other.

    The zone's name goes with it on a day on which that changes.
    """
    place = ZoneInfo(zone)
    today = now.astimezone(place)

    @functools.cache
    def told(at: datetime) -> str:
        local = at.astimezone(place)
        day = "" if local.date() == today.date() else f"{local:%a} {local.day} {local:%b} "
        name = "" if local.utcoffset() == today.utcoffset() else f" {local.tzname()}"
        return f"{day}{local:%H:%M:%S}{name}"

    return told


def share_words(thousandths: int | None) -> str:
    """A share in thousandths of a percent, as people write it."""
    if thousandths is None:
        return "unknown"
    text = f"{thousandths / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{text} %"
