"""What is planned: windows in which a service may fail without anyone being told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time


@dataclass(frozen=True, slots=True)
class Once:
    """From `begins` on until `ends`, both aware UTC."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Weekly:
    """Every week from `begins` on until `ends`, in the local time of `zone`.

    `weekday` is that of the beginning, Monday 0. An end not after the beginning is the next day's.
    """

    weekday: int
    begins: time
    ends: time
    zone: str


@dataclass(frozen=True, slots=True)
class Window:
    """A declared maintenance of `services`, by name.

    `checks` and `tenants` narrow it to those; None is all of them. What everyone shares belongs to
    no tenant.
    """

    name: str
    when: Once | Weekly
    services: tuple[str, ...]
    checks: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    reason: str = ""
