"""What an outage and its page tell: delays, whether the start was right, whether it came twice."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import ceil
from random import Random
from statistics import median
from typing import Any

from monitor.demo.receiver import Page

FAULTS = {"refuse": "refused", "status_503": "503", "black_hole": "black hole"}


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage of everything: `fault` is when it was switched on, `paged` when we were told.

    `after` and `before` are the start that the page gives (`after` None: not known), `detected`
    when the monitor concluded. `triggers` counts the pages that opened something, `repeated` the
    pages whose key had come before.
    """

    kind: str
    fault: datetime
    paged: datetime
    after: datetime | None
    before: datetime
    detected: datetime
    triggers: int = 1
    repeated: int = 0

    @property
    def delay(self) -> float:
        """Seconds from the fault to the page."""
        return (self.paged - self.fault).total_seconds()

    @property
    def covered(self) -> bool:
        """Whether the fault lies within the start that was told."""
        return (self.after is None or self.after <= self.fault) and self.fault <= self.before

    @property
    def parts(self) -> tuple[float, float, float]:
        """Seconds to the first evidence, from there to the conclusion, from there to the page."""
        ends = (self.fault, self.before, self.detected, self.paged)
        first, then, last = ((b - a).total_seconds() for a, b in pairwise(ends))
        return first, then, last


def outage_of(kind: str, fault: datetime, page: Page, pages: Sequence[Page]) -> Outage:
    """What `page` says of a fault; `pages` are all that came from the fault until its end."""
    told: dict[str, Any] = page.document["incident"]
    after = told["began_after"]
    return Outage(
        kind,
        fault,
        page.at,
        datetime.fromisoformat(after) if after else None,
        datetime.fromisoformat(told["began_before"]),
        datetime.fromisoformat(told["detected_at"]),
        triggers=sum(each.action == "trigger" for each in pages),
        repeated=sum(Counter(each.key for each in pages).values()) - len({p.key for p in pages}),
    )


def at_rank(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def phases(number: int, interval: float, dice: Random) -> list[float]:
    """So many instants of an interval, one in each equal part of it, in random order."""
    found = [(i + dice.random()) * interval / number for i in range(number)]
    dice.shuffle(found)
    return found


def delay_row(name: str, outages: Sequence[Outage], budget: float) -> str:
    """One row of the table of delays, in Markdown."""
    delays = [outage.delay for outage in outages]
    middle = median(delays)
    verdict = "met" if middle <= budget else f"missed by {middle - budget:.1f} s"
    parts = " + ".join(f"{median(p):.1f}" for p in zip(*(o.parts for o in outages), strict=True))
    cells = (
        name,
        len(delays),
        f"{middle:.1f}",
        f"{at_rank(delays, 0.95):.1f}",
        f"{max(delays):.1f}",
        f"{budget:g}, {verdict}",
        parts,
        f"{sum(o.covered for o in outages)} of {len(outages)}",
        sum(o.triggers - 1 + o.repeated for o in outages),
    )
    return row(cells)


DELAY_HEAD = (
    "| fault | outages | median s | p95 s | max s | budget of the median s "
    "| to evidence + to conclusion + to page, medians s | start covers the truth | duplicates |\n"
    + "|---" * 9
    + "|"
)


def row(cells: Iterable[object]) -> str:
    """One row of a table in Markdown."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
