"""Whatever a server does, it is classified in time, within the limits, and told in clean text."""

from __future__ import annotations

import pytest

from monitor.model import Outcome
from tests.hostile.fault_proxy import FAULTS, POINTS
from tests.hostile.running import GRACE, LIMITS, PIECE, texts
from tests.hostile.tables import CASES, LISTS

BLOCK = 32 * 1024
"""What a decoder makes at once."""
CALLBACK = 0.05

every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_it_is_classified_in_time(ran, case):
    ours = ran.ours[case.name]
    result = ours.result
    expected = Outcome.PASS if case.kind is None else Outcome.FAIL
    told = result.evidence.warnings if case.kind is None else (result.evidence.message,)
    assert (result.outcome, result.failure) == (expected, case.kind), result.evidence
    assert any(case.says in each for each in told) or not case.says, told
    assert ours.seconds < case.deadline + GRACE


@every_case
def test_it_stays_within_the_limits(ran, case):
    ours = ran.ours[case.name]
    cost = ours.cost
    assert max(cost.received.values(), default=0) <= LIMITS.wire_bytes + PIECE
    assert cost.head <= LIMITS.header_bytes + PIECE
    assert cost.body <= LIMITS.body_bytes + max(BLOCK, PIECE)
    assert cost.strayed == []
    assert ours.visits == ()


@every_case
def test_no_callback_keeps_the_loop(ran, case):
    assert ran.ours[case.name].cost.slowest < CALLBACK


@every_case
def test_evidence_is_clean_and_short(ran, case):
    told = tuple(texts(ran.ours[case.name].result.evidence))
    assert all(each.isprintable() and each.encode() for each in told if each)
    assert sum(map(len, told)) < 20_000


@every_case
def test_plain_httpx_does_what_the_table_says(ran, case):
    theirs = ran.theirs[case.name]
    assert theirs.mark is case.peer, theirs.told


def test_the_table_is_large_and_no_case_is_there_twice():
    assert len(CASES) >= 120
    assert len({str(case) for case in CASES}) == len(CASES)
    assert all(LISTS.values())


def test_every_fault_is_put_in_at_every_point():
    assert len(POINTS) == 12
    assert set(FAULTS) == {"latency", "bandwidth", "reset", "blackhole", "slice", "truncate"}
