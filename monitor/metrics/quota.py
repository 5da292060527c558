"""How much of its quota an API says is used, by the headers of an answer.

`RateLimit-Limit` and `RateLimit-Remaining` are read, or else the same with `X-` before them, which
came first. A limit may be followed by its windows (`100, 100;w=60`): the first number counts. What
is no number tells nothing; a remote text never becomes more than one number between 0 and 1.
"""

from __future__ import annotations

from collections.abc import Iterable

_SPELLINGS = (
    ("ratelimit-limit", "ratelimit-remaining"),
    ("x-ratelimit-limit", "x-ratelimit-remaining"),
)
_NAMES = frozenset(name for pair in _SPELLINGS for name in pair)
_MOST_DIGITS = 15


def quota_used(headers: Iterable[tuple[str, str]]) -> float | None:
    """The share of the quota that is used, from 0 to 1; None where the answer does not tell.

    Names are lower case; of a header that came twice the last counts.
    """
    told = {name: value for name, value in headers if name in _NAMES}
    if not told:
        return None
    for limit_name, remaining_name in _SPELLINGS:
        limit, remaining = _number(told.get(limit_name)), _number(told.get(remaining_name))
        if limit and remaining is not None:
            return 1.0 - min(remaining, limit) / limit
    return None


def _number(text: str | None) -> int | None:
    first = (text or "").partition(",")[0].partition(";")[0].strip()
    whole = first.isascii() and first.isdigit() and len(first) <= _MOST_DIGITS
    return int(first) if whole else None
