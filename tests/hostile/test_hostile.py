"""Whatever a server does, it is classified in time, within the limits, and told in clean text."""

from __future__ import annotations

import contextlib
import gzip
import os
import time

import brotli
import pytest

from monitor.model import Outcome
from monitor.net.answer import Answer
from monitor.net.failure import Failure
from tests.hostile.fault_proxy import FAULTS, POINTS
from tests.hostile.running import GRACE, LIMITS, PIECE, texts
from tests.hostile.servers import ENOUGH
from tests.hostile.tables import CASES, LISTS, secure
from tests.hostile.tables.codings import chunked_head, in_chunks

BLOCK = 32 * 1024
"""What a decoder makes at once."""
CALLBACK = 0.05

PIECES = {
    "chunks of one byte": chunked_head(b"identity") + in_chunks(os.urandom(43_000), 1),
    "gzip in chunks of one byte": chunked_head(b"gzip")
    + in_chunks(gzip.compress(os.urandom(43_000)), 1),
    "brotli in chunks of one byte": chunked_head(b"br")
    + in_chunks(brotli.compress(os.urandom(43_000)), 1),
    "header lines": b"HTTP/1.1 200 OK\r\n" + b"X:y\r\n" * 60_000,
    "folds": b"HTTP/1.1 200 OK\r\nX:y\r\n" + b" z\r\n" * 16_000 + b"\r\n" + b"x" * PIECE,
    "informational answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    "empty gzip members": chunked_head(b"gzip") + in_chunks(gzip.compress(b"") * 20_000, 20),
}
"""Answers that cost most when they come at once."""

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
    assert cost.site.sent < ENOUGH
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


@pytest.mark.parametrize("case", secure.SHOWN, ids=str)
def test_a_certificate_is_kept_whatever_is_wrong_with_it(ran, case):
    certificate = ran.ours[case.name].result.evidence.certificate
    assert certificate.subject.startswith("commonName=")
    assert 0 <= len(certificate.names) <= 100


@pytest.mark.parametrize("answer", PIECES, ids=str)
def test_what_the_loop_takes_in_at_once_is_read_in_time(answer):
    raw = PIECES[answer][:PIECE]
    assert len(raw) > PIECE * 0.9
    assert min(_seconds(raw) for _ in range(3)) < CALLBACK


def _seconds(raw: bytes) -> float:
    reader = Answer("GET", LIMITS, lambda _: None)
    began = time.thread_time()
    with contextlib.suppress(Failure):
        reader.feed(raw)
    return time.thread_time() - began


def test_the_table_is_large_and_no_case_is_there_twice():
    assert len(CASES) >= 120
    assert len({str(case) for case in CASES}) == len(CASES)
    assert all(LISTS.values())


def test_every_fault_and_every_point_is_there():
    names = [case.name for case in LISTS["fault"]]
    assert len(FAULTS) == 6
    assert all(any(name.startswith(f"{fault} ") for name in names) for fault in FAULTS)
    assert len(POINTS) == 12
    assert all(any(point in name for name in names) for point in POINTS)
