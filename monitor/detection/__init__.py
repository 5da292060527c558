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
   pass it was a blip; if they disagree, that cell is asked once more beside another
   (`opinion.py`). Blips that come too often are a share of requests that fails (`turning.py`).
3. Otherwise every sampled target is asked from every vantage, and every vantage's controls with
   them, in rounds `round_gap` apart (`rounds.py`: what one round finds). Few cells are asked
   several times, so that a round always has enough votes.
4. An unbroken run of rounds that found EVERYONE, with a high enough score and without a survivor,
   is ALL (`series.py`). The same part failing twice in a row is PARTIAL, and so is a share over
   four rounds. Two quiet rounds: it is over; of a share, four.
5. From ALL the way back needs `recovery_rounds` good sweeps over `recovery_span`, from as many
   vantages as declaring it needed (`recovery.py`). Then it is watched for the merge window:
   failing again is the same outage's next episode (`outages.py`).
6. If no vantage's controls answer, nothing is concluded about any service; that is declared as
   being BLIND. With only one place to see from, four rounds are needed, and the verdict says so.
   With two networks of three or more, these may share a path: the run must last `path_span`,
   longer than a transit's burst.

All times are monotonic seconds. An outage's start is an interval: later than the send time of
the last PASS before it, not later than the first FAIL seen after. A cell votes only once it has
passed under its present fingerprint; what fails from the first is declared as never having
worked. A cell that cries wolf loses its FAIL vote (`demotion.py`). A process that starts is told
what the last one saw (`recall`) and had declared (`resume`), and sweeps what failed.

A check that is told once a period, not asked (passive), goes its own way: two bad periods in a
row, and nothing is asked (`listener.py`). One that does something (mutating) is tried once a
target and round, a few rounds an hour; when those are spent, its schedule must do.

What will come of it, and how soon; T is the interval, M the cells of the check, D `round_gap`, R
the length of a round (moments; up to 7 s where cells are so few that each is asked again). Seen
from one place only, it takes 2 D longer, and two intervals where the others were lost just now;
seen from two networks of three or more, because the others are lost, it takes `path_span` longer:

    everything is refused or answers 5xx   ALL, after T / 2M + D + R
    ... or the wrong page, or expired      the same
    everything goes into a black hole      ALL, after that and the deadline, at most
    the name is gone                       ALL, within a round of the last resolver's cache
    slower and slower, then nothing        ALL, once answers miss the deadline; slow alone: nothing
    95 % of requests fail                  ALL, mostly as soon; a stray PASS costs a round or two
    80 to 94 % fail                        PARTIAL (a share) or ALL: between the two
    15 to 80 % fail                        PARTIAL (a share), after four rounds
    one target, one backend group          PARTIAL naming it, after two rounds
    one vantage's path to the service      nothing for `path_span`, then PARTIAL naming the vantage
    one vantage's network                  nothing: its controls fail too, it drops out
    all vantages' network, or ours         BLIND after two intervals, no service outage
    a blip shorter than D                  nothing
    up and down for long                   one ALL; FLAPPING from the third episode in half an hour
    a stalled or stopped host              nothing: what was under way is void, controls come first
    in a maintenance window                nothing; still failing at its end: as above, at once,
                                           with the true start
    401, 403, 429 to us                    nothing; UNKNOWN after `locked_out_after` without PASS
    the edge refuses us, users get in      UNKNOWN, until users stop getting in: then ALL
    wrong from the first start             "never worked", no outage
    ALL shrinks to a part, or grows of one both, each with its own start
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
