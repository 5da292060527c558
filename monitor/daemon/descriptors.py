"""File descriptors: raise the limit, and refuse to start below what the cells need."""

from __future__ import annotations

import resource

_BESIDES = 200


def raise_limit(cells: int) -> str | None:
    """Raise the soft limit to the hard one; why `cells` are too many for it, None if not."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * cells + _BESIDES
    most = wanted if hard == resource.RLIM_INFINITY else hard
    soft = max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], min(most, max(wanted, 4096)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft >= min(wanted, cells + _BESIDES):
        return None
    return (
        f"{cells} cells need {cells + _BESIDES} file descriptors and the limit is {soft}: "
        "raise it (ulimit -n)"
    )
