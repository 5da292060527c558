"""Faults that are planted into a child, each of which the harness must find."""

from __future__ import annotations

from collections.abc import Callable, Mapping

FAULTS: Mapping[str, Callable[[], None]] = {}
