"""What a check asks of whom: its address, and the places in its options that tenants fill in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.config.kinds import Kinded
from monitor.config.shape import Document
from monitor.probes import PROBES
from monitor.probes.templates import Place, places, templates, written_out


def address_key(kind: str) -> str:
    """The option of a kind of probe that says what is asked."""
    return PROBES[kind].address


def address_of(kind: str, options: Any) -> str:
    """What is asked, with its places as far as they are not filled in."""
    return str(getattr(options, address_key(kind)))


def tenant_places(read: Kinded) -> dict[str, Place]:
    """The names that tenants give values to, each with the first place where it stands.

    Empty for a check that asks the same of everyone.
    """
    own: frozenset[str] = getattr(read.options, "own_names", frozenset())
    found: dict[str, Place] = {}
    for place, text, is_url in templates(read.options):
        for name in places(text, is_url=is_url):
            if name not in own:
                found.setdefault(name, place)
    return found


def urls_of(kind: str, options: Any) -> list[tuple[Place, str]]:
    """Where the options lead: every URL with its place; those that continue the address are none.

    Of a kind whose address is a name, the address is none; neither is what is known only during a
    probe, and vetted then.
    """
    schemes = PROBES[kind].schemes
    named = () if schemes else (address_key(kind),)
    later = tuple(f"{{{name}}}" for name in getattr(options, "own_names", ()))
    return [
        (place, text)
        for place, text, is_url in templates(options)
        if is_url and not text.startswith(("/", *later)) and place != named
    ]


def schemes_of(kind: str, place: Place) -> tuple[str, ...]:
    """What a URL at this place of a kind's options may begin with."""
    return PROBES[kind].schemes if place == (address_key(kind),) else ("http", "https")


def options_for(read: Kinded, variables: Mapping[str, str]) -> Any:
    """The options of one tenant's target. Raises ValueError as their class does."""
    own: frozenset[str] = getattr(read.options, "own_names", frozenset())
    given = {name: value for name, value in variables.items() if name not in own}
    return written_out(read.options, given)


def tenants_of(read: Kinded, document: Document) -> tuple[str, ...]:
    """The tenants of a check: those it names, or all."""
    return tuple(document.tenants) if read.own.tenants is None else read.own.tenants


def variables_of(tenant: str, document: Document) -> dict[str, str]:
    """What a tenant puts into the places of checks."""
    return {**(document.tenants[tenant].__pydantic_extra__ or {}), "tenant": tenant}
