"""Incidents: what they go through, and the words in which people are told.

`lifecycle.py` holds the table of what may happen to an incident and makes each move as a new
value; `wording.py` writes its title, timeline and messages. Neither knows of stores or channels.
"""

from monitor.incident.lifecycle import (
    LIFECYCLE,
    Happening,
    IllegalTransition,
    acknowledge,
    end_silence,
    escalate,
    hand_over,
    link,
    opened,
    part,
    put_off,
    recover,
    relapse,
    report,
    resolve,
    silence,
    update,
    warn,
    warn_of,
)
from monitor.incident.standing import muted, to_accept, to_acknowledge, to_answer, waits

__all__ = [
    "LIFECYCLE",
    "Happening",
    "IllegalTransition",
    "acknowledge",
    "end_silence",
    "escalate",
    "hand_over",
    "link",
    "muted",
    "opened",
    "part",
    "put_off",
    "recover",
    "relapse",
    "report",
    "resolve",
    "silence",
    "to_accept",
    "to_acknowledge",
    "to_answer",
    "update",
    "waits",
    "warn",
    "warn_of",
]
