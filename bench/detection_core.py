"""How many results a second the detection core takes in, from memory, all of them PASS.

10,000 cells: 3,333 tenants of one service seen from three vantages, and nine controls.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from monitor import detection
from monitor.detection import Sent, Tick
from monitor.model import Outcome, Result
from tests.estates import check, estate, service, tenants

PASSES = 10
BUDGET = 100_000


def rows() -> Iterator[str]:
    watched = estate(service("crm", check(of=tenants(3333))))
    cells = watched.cells()
    known = [(cell.key, cell.target.fingerprint) for cell in cells]
    state = detection.new_state(watched, worked=known)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    gap = 30.0 / len(cells)
    events = []
    for turn in range(PASSES):
        for place, cell in enumerate(cells):
            sent = turn * 30.0 + place * gap
            id_ = f"{turn}-{place}"
            events.append((Sent(cell.key, id_, sent, 10.0), sent))
            fingerprint = cell.target.fingerprint
            made = Result(id_, cell.key, fingerprint, sent, sent + 0.02, at, Outcome.PASS)
            events.append((made, sent + 0.02))
    events.sort(key=lambda pair: pair[1])
    began, cpu, ticked = time.perf_counter(), time.process_time(), -1.0
    for event, now in events:
        if now >= ticked + 0.5:
            detection.step(state, Tick(), now)
            ticked = now
        detection.step(state, event, now)
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    results = PASSES * len(cells)
    yield f"{results} results, each sent and answered: {results / took:,.0f} a second"
    yield f"{1e6 * spent / results:.2f} us of CPU a result; budget {BUDGET:,} a second"
