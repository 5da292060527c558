"""Maintenance windows: what of the section cannot be, and the model of what can.

A time without an offset is local to the calendar's zone. One that clock changes skip or repeat is
refused where a window comes once, since a second reading of it would be a guess; a weekly window
goes by the rule of `monitor.maintenance`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from monitor.config.case import ALL, Case, near_words
from monitor.config.mistakes import Path
from monitor.config.shape import Document, WindowShape
from monitor.config.targets import tenant_places, tenants_of
from monitor.config.tree import child, names_under
from monitor.model import Once, Weekly, Window

LONGEST = timedelta(days=7)

Found = Iterator[tuple[Path, str]]
"""Mistakes: the path within a window, and the message."""


def windows(document: Document) -> tuple[Window, ...]:
    """The windows of a document in which nothing is mistaken."""
    return tuple(
        Window(
            name=name,
            when=_when(shape, document.calendar.time_zone),
            services=_services(shape, document),
            checks=shape.checks,
            tenants=shape.tenants,
            reason=shape.reason,
        )
        for name, shape in document.maintenance.items()
    )


def check_windows(case: Case) -> None:
    """Note what the windows say that cannot be meant."""
    for name, shape in case.document.maintenance.items():
        path = ("maintenance", name)
        told = [each for each in ("begins", "ends", "weekly") if case.findings.under(*path, each)]
        if not told:
            _note(_time_mistakes(shape, case), path, case)
        _note(_scope_mistakes(shape, case), path, case)
        if not case.findings.under(*path):
            _note(_reach_mistakes(shape, case), path, case)


def _note(found: Found, path: Path, case: Case) -> None:
    for within, message in found:
        if not case.findings.under(*path, *within[:1]) or not within:
            case.findings.add((*path, *within), message)


def _when(shape: WindowShape, zone: str) -> Once | Weekly:
    if shape.weekly is not None:
        return Weekly(*shape.weekly, zone)
    if shape.begins is None or shape.ends is None:
        raise ValueError("a window that says not when was not refused")
    return Once(*(_readings(each, zone)[0] for each in (shape.begins, shape.ends)))


def _services(shape: WindowShape, document: Document) -> tuple[str, ...]:
    return tuple(document.services) if ALL in shape.services else shape.services


# --------------------------------------------------------------------------- when


def _time_mistakes(shape: WindowShape, case: Case) -> Found:
    given = {"begins": shape.begins, "ends": shape.ends}
    missing = [key for key, value in given.items() if value is None]
    if shape.weekly is not None:
        if len(missing) < 2:
            yield ("weekly",), "excludes `begins:` and `ends:`: remove it or them"
    elif len(missing) == 2:
        yield (), "does not say when: add `begins:` and `ends:`, or `weekly:`"
    elif missing:
        yield (missing[0],), f"is missing: add `{missing[0]}:`"
    elif not case.findings.under("calendar", "time_zone"):
        yield from _span_mistakes(shape, case.document.calendar.time_zone)


def _span_mistakes(shape: WindowShape, zone: str) -> Found:
    when: list[datetime] = []
    for key, value in (("begins", shape.begins), ("ends", shape.ends)):
        found = [] if value is None else _readings(value, zone)
        if value is not None and len(found) != 1:
            yield (key,), _unclear(value, found, zone)
        when += found[:1] if len(found) == 1 else []
    if len(when) == 2:
        yield from _length_mistakes(*when)


def _length_mistakes(begins: datetime, ends: datetime) -> Found:
    if ends <= begins:
        yield ("ends",), "must be after begins: change one of them"
    elif ends - begins > LONGEST:
        days = (ends - begins) / timedelta(days=1)
        yield ("ends",), f"({days:.1f} d after begins) must be within 7 d: shorten the window"


def _readings(value: datetime, zone: str) -> list[datetime]:
    """The UTC instants that a time may mean: none or two where the zone's clocks change."""
    if value.tzinfo is not None:
        return [value.astimezone(UTC)]
    local = value.replace(tzinfo=ZoneInfo(zone))
    both = {local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in both if at.astimezone(local.tzinfo).replace(tzinfo=None) == value)


def _unclear(value: datetime, found: list[datetime], zone: str) -> str:
    said = value.isoformat(timespec="minutes")
    if not found:
        return f"{said} does not exist in {zone}, whose clocks are set forward then: add an offset"
    meant = (at.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for at in found)
    return f"{said} comes twice in {zone}: add an offset, {' or '.join(meant)}"


# --------------------------------------------------------------------------- what


def _scope_mistakes(shape: WindowShape, case: Case) -> Found:
    services = names_under(case.root, "services")
    if not shape.services:
        yield ("services",), "is empty: name at least one, or write `all`"
    elif ALL in shape.services:
        if len(shape.services) > 1:
            yield ("services",), "has `all` beside others: write `all` alone, or leave it out"
    else:
        yield from _unknown("services", shape.services, services, "no service")
    for key in ("checks", "tenants"):
        if getattr(shape, key) == ():
            yield (key,), "is empty: name at least one, or leave it out for all"
    within = services if ALL in shape.services else shape.services
    if set(within) <= set(services):
        known = [name for each in within for name in _check_names(each, case)]
        who = f"no check of {', '.join(within)}"
        yield from _unknown("checks", shape.checks or (), known, who)
    tenants = names_under(case.root, "tenants")
    yield from _unknown("tenants", shape.tenants or (), tenants, "no tenant")


def _unknown(key: str, names: Sequence[str], known: Sequence[str], who: str) -> Found:
    for index, name in enumerate(names):
        if name not in known:
            yield (key, index), f"{who} is named `{name}`{near_words(name, known)}"


def _check_names(service: str, case: Case) -> Iterator[str]:
    """Every name of a check of a service, also of those that are mistaken otherwise."""
    node = case.root
    for step in ("services", service, "checks"):
        found = child(node, step)
        if found is None:
            return
        node = found
    for item in node.value if isinstance(node.value, list) else ():
        name = child(item, "name")
        if name is not None:
            yield str(name.value)


def _reach_mistakes(shape: WindowShape, case: Case) -> Found:
    """A window for tenants that none of its checks is probed for covers nothing."""
    document, wanted = case.document, set(shape.tenants or ())
    if not wanted or case.findings.under("services") or case.findings.under("tenants"):
        return
    for service in _services(shape, document):
        for check in filter(None, document.services[service].checks):
            chosen = shape.checks is None or check.own.name in shape.checks
            if chosen and tenant_places(check) and wanted & {*tenants_of(check, document)}:
                return
    yield ("tenants",), "are in none of the checks that it covers: name others, or leave them out"
