"""What channels say of each other, and whether everybody who must be told is.

Every service must reach each role of the staff, at either priority, by a channel that is told at
once: one that is called in later, or stands in for another, is a promise to nobody.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping

from monitor.channels import CHANNELS
from monitor.config.case import Case, check_host, check_url, near_words
from monitor.config.kinds import Kinded
from monitor.config.mistakes import Path
from monitor.config.tree import at
from monitor.model import OUTSIDERS, STAFF, Channel, Priority, Role
from monitor.net.secret import Secret


def check_channels(case: Case) -> None:
    """Note every mistake about who is told."""
    channels = case.document.channels
    if channels is None or case.findings.under("channels"):
        return
    for name, channel in channels.items():
        path = ("channels", name)
        _roles(channel, path, case)
        _names(channel, path, case)
        _turn(name, channel, channels, case)
        _addresses(channel, path, case)
    for message in (*_untold(channels, case), *_uncertain(channels)):
        case.findings.add(("channels",), message)


def channel_of(name: str, read: Kinded) -> Channel:
    """The channel that was read under this name."""
    own = read.own
    return Channel(
        name,
        read.kind,
        own.roles,
        read.options,
        services=own.services,
        priorities=own.priorities,
        tenants=own.tenants,
        after=own.after,
        stands_in_for=own.stands_in_for,
    )


def _roles(channel: Kinded, path: Path, case: Case) -> None:
    roles = channel.own.roles
    if not roles:
        case.findings.add((*path, "roles"), "is empty: name on_call or service_desk")
    for role in OUTSIDERS:
        if role in roles and len(roles) > 1:
            case.findings.add(
                (*path, "roles"),
                f"{role} stands alone: whoever does not work here has a channel of his own",
            )
    if Role.TENANT_OWNER in roles and not channel.own.tenants:
        case.findings.add(
            (*path, "roles"), "tenant_owner needs `tenants`: name whose owner is told here"
        )


def _addresses(channel: Kinded, path: Path, case: Case) -> None:
    """Note where a channel would be sent that may not be contacted."""
    for each in dataclasses.fields(channel.options):
        value = getattr(channel.options, each.name)
        place = (*path, each.name)
        if each.name == "host":
            check_host(value, place, case)
        elif each.name == "urls":
            _peers(value, place, case)
        elif value and (each.name == "url" or each.name.endswith("_url")):
            check_url(value.reveal() if isinstance(value, Secret) else value, place, case)


def _peers(urls: tuple[str | Secret, ...], path: Path, case: Case) -> None:
    """Addresses of one receiver; those that are secret are not ours to contact."""
    if not urls:
        case.findings.add(path, "is empty: name every peer")
    for place, each in enumerate(urls):
        if isinstance(each, str):
            check_url(each, (*path, place), case)


def _names(channel: Kinded, path: Path, case: Case) -> None:
    for key in ("services", "tenants"):
        written = at(case.root, (key,))
        known = list(written.value) if written and isinstance(written.value, dict) else []
        for unknown in (each for each in getattr(channel.own, key) if each not in known):
            near = near_words(unknown, known)
            message = f"there is no {key[:-1]} `{unknown}`{near or ': name one of this file'}"
            case.findings.add((*path, key), message)


def _turn(name: str, channel: Kinded, channels: Mapping[str, Kinded], case: Case) -> None:
    """Whether it can ever be its turn."""
    first = channel.own.stands_in_for
    path = ("channels", name, "stands_in_for")
    if first is None:
        return
    if channel.own.after is not None:
        case.findings.add(path, "is given with `after`: a channel waits for one or for the other")
    if first == name:
        case.findings.add(path, "is its own name: name the channel that it stands in for")
    elif first not in channels:
        near = near_words(first, channels)
        case.findings.add(path, f"there is no channel `{first}`{near or ': name one of this file'}")


def _untold(channels: Mapping[str, Kinded], case: Case) -> Iterable[str]:
    """Who would not be told of what."""
    told = [channel_of(name, each) for name, each in channels.items()]
    for role in STAFF:
        theirs = [each for each in told if role in each.roles]
        if not theirs:
            yield f"nobody is told as {role}: add `{role}` to the roles of a channel"
            continue
        always = [each for each in theirs if each.at_once() and not each.tenants]
        missed = _missed(always, case.document.services)
        if missed:
            yield (
                f"nobody is told as {role} at once of {', '.join(missed)}: give a channel with "
                "that role no `after`, `stands_in_for` or `tenants`, or more services or priorities"
            )


def _uncertain(channels: Mapping[str, Kinded]) -> Iterable[str]:
    """On call is reached by at least one channel of which accepted means shown."""
    kinds = {each.kind for each in channels.values() if Role.ON_CALL in each.own.roles}
    if kinds and not any(CHANNELS[kind].certain for kind in kinds):
        named = " and ".join(sorted(kinds))
        yield (
            f"on_call is told by {named} alone, which accepts what it may never show: "
            "add `on_call` to the roles of a channel of another kind"
        )


def _missed(channels: Collection[Channel], services: Iterable[str]) -> list[str]:
    return [
        f"{service} ({priority})"
        for service in services
        for priority in Priority
        if not any(channel.is_for(service, priority) for channel in channels)
    ]
