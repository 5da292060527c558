"""The sentences in which detection says how it knows."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.model import Dimension, Extent

_NOUNS = {
    Dimension.TARGET: ("target", "targets"),
    Dimension.GROUP: ("backend group", "backend groups"),
    Dimension.VANTAGE: ("location", "locations"),
}


def affected_at_least(failing: int) -> float:
    """With n of n sampled targets failing: the share that is affected, at 95 % confidence."""
    return 0.05 ** (1 / failing) if failing else 0.0


def counted(number: int, noun: tuple[str, str]) -> str:
    """A number with its noun in the right number."""
    return f"{number} {noun[number != 1]}"


def everyone_sentence(check: str, extent: Extent, rounds: int, gap: float) -> str:
    """How it is known that everyone is affected."""
    places = counted(len(extent.from_vantages), ("location", "locations"))
    seen = f"seen from {places} ({', '.join(extent.from_vantages)})"
    targets = counted(extent.sampled, ("target", "targets"))
    sentence = (
        f"{check}: {extent.failing} of {targets} failed in {rounds} rounds at least {gap:g} s "
        f"apart, {seen}, while our own control targets answered"
    )
    if extent.sampled < extent.population and extent.failing == extent.sampled:
        share = int(100 * affected_at_least(extent.failing))
        sentence += f"; at least {share} % of {extent.population} affected (95 % confidence)"
    return sentence + "."


def periods_sentence(check: str, extent: Extent, interval: float) -> str:
    """How it is known of a check that is told, not asked, that everyone is affected."""
    targets = counted(extent.sampled, ("target", "targets"))
    places = ", ".join(extent.from_vantages)
    return (
        f"{check}: {extent.failing} of {targets} bad in two periods of {interval:g} s in a row, "
        f"seen from {places}."
    )


def doubt_sentence(check: str, extent: Extent) -> str:
    """Why it is not known whether everyone is affected."""
    targets = counted(extent.sampled, ("target", "targets"))
    return (
        f"{check}: {extent.failing} of {targets} fail for us, and so do our own controls behind "
        "the same edge, while real users get in: the edge may have turned on us."
    )


def part_sentence(check: str, extent: Extent, share: float) -> str:
    """How it is known that a part is affected, and which."""
    places = ", ".join(extent.from_vantages)
    if extent.dimension in _NOUNS:
        what = counted(len(extent.members), _NOUNS[extent.dimension])
        return (
            f"{check}: {what} failing twice in a row ({names(extent.members)}), seen from {places}."
        )
    return (
        f"{check}: {100 * share:.0f} % of the answers are failures over several rounds, "
        f"seen from {places}."
    )


def names(members: Sequence[str], most: int = 10) -> str:
    """The first few members by name, and how many more there are."""
    shown = ", ".join(members[:most])
    return f"{shown} and {len(members) - most} more" if len(members) > most else shown
