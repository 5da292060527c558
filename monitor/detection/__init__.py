"""Detection: everyone, everywhere, twice, and it is not us.

An ALL outage is declared when every sampled target of a blocking check fails, seen from at least
two healthy vantages in different networks, in two rounds at least `round_gap` apart, while our
own control targets answer. This is a state machine without I/O, clock or randomness, the same in
production, in tests and in replay:

    state = new_state(estate)
    actions = step(state, event, now)      event: Sent | Result | Tick | WindowClosed
    ...                                    action: Probe | Declared
    wake_at(state)                         when the next Tick is due

What happens in an outage, in order:

1. A scheduled probe fails, or is silent for longer than its cell's usual: suspicion. Scheduled
   probes of a service are spread so that neighbours in time differ in vantage and backend group,
   so the first evidence of a total outage comes after about interval / (2 x cells).
2. Two cells are asked again at once: that one, and the one that shares least with it. If both
   pass it was a blip, and nothing more happens.
3. Otherwise every sampled target is asked from every vantage, and every vantage's controls with
   them, in rounds `round_gap` apart (`rounds.py`: what one round finds). Few cells are asked
   several times, so that a round always has enough votes.
4. An unbroken run of rounds that found EVERYONE, with a high enough score and without a survivor,
   is ALL. The same part failing twice in a row is PARTIAL. Two quiet rounds: it is over.
5. From ALL the way back needs `recovery_rounds` good sweeps over `recovery_span`, from as many
   vantages as declaring it needed. Then it is watched for the merge window: failing again is the
   same outage's next episode (`outages.py`).
6. If no vantage's controls answer, nothing is concluded about any service; that is declared as
   being BLIND. With only one place to see from, four rounds are needed, and the verdict says so.

All times are monotonic seconds. An outage's start is an interval: later than the send time of
the last PASS before it, not later than the first FAIL seen after. A cell votes only once it has
passed under its present fingerprint; what fails from the first is declared as never having
worked.
"""

from monitor.detection.listener import Listener
from monitor.detection.machine import Machine
from monitor.detection.outages import Track, track_of
from monitor.detection.phase import Phase
from monitor.detection.signals import (
    Action,
    Declared,
    Event,
    Probe,
    Sent,
    Span,
    Tick,
    WindowClosed,
)
from monitor.detection.state import (
    BLIND_UNIT,
    State,
    Unit,
    new_state,
    recall,
    resume,
    step,
    wake_at,
)

__all__ = [
    "BLIND_UNIT",
    "Action",
    "Declared",
    "Event",
    "Listener",
    "Machine",
    "Phase",
    "Probe",
    "Sent",
    "Span",
    "State",
    "Tick",
    "Track",
    "Unit",
    "WindowClosed",
    "new_state",
    "recall",
    "resume",
    "step",
    "track_of",
    "wake_at",
]
