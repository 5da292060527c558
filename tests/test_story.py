"""A probe's result as a story: one line that says it all, how far it got, what is different."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import (
    CellKey,
    Certificate,
    Evidence,
    FailureKind,
    Outcome,
    Phases,
    Result,
    Step,
)
from monitor.story import Difference, headline_of, story_of, text_of, values_of

NOW = datetime(2029, 3, 4, 2, 14, 7, tzinfo=UTC)
CELL = CellKey("crm", "sign-in", "acme", "london")
CERTIFICATE = Certificate(
    subject="commonName=crm.example.com",
    issuer="commonName=Some CA",
    names=("crm.example.com",),
    not_before=NOW - timedelta(days=60),
    not_after=NOW + timedelta(days=30),
    chain_expiry=NOW + timedelta(days=30),
)
GOOD = Result(
    "r0",
    CELL,
    "f1",
    10.0,
    10.18,
    NOW - timedelta(seconds=30),
    Outcome.PASS,
    phases=Phases(0.001, 0.012, 0.031, 0.02, 0.001),
    evidence=Evidence(
        asked="GET https://crm.example.com/acme/sign-in",
        address="203.0.113.7:443",
        status=200,
        status_line="HTTP/1.1 200 OK",
        headers=(("server", "nginx"), ("date", "then")),
        tls_version="TLSv1.3",
        certificate=CERTIFICATE,
        name_fresh=True,
    ),
)
BAD = replace(
    GOOD,
    id="r1",
    sent_mono=40.0,
    observed_mono=40.213,
    observed_at=NOW,
    outcome=Outcome.FAIL,
    failure=FailureKind.STATUS,
    phases=Phases(0.001, 0.012, 0.031, 0.168, 0.001),
    evidence=replace(
        GOOD.evidence,
        message="status 503 Service Unavailable (expected 200)",
        status=503,
        status_line="HTTP/1.1 503 Service Unavailable",
        headers=(("date", "now"),),
        body="<h1>Oops</h1>\n\nsecond\n",
    ),
)


TOLD = """\
crm/sign-in/acme/london FAILED (status) after 213.0 ms: status 503 Service Unavailable \
(expected 200)
  tried      GET https://crm.example.com/acme/sign-in from london (net-a, 127.0.0.1)
  when       2029-03-04 02:14:07Z, it took 213.0 ms
  reached    203.0.113.7:443, its name resolved afresh
  TLS        TLSv1.3, certificate of crm.example.com until 2029-04-03 02:14:07Z (30 days), \
issued by commonName=Some CA
  how far    answered in full; what came back was not what is expected
  answer     HTTP/1.1 503 Service Unavailable
  header     date: now
  phases     resolve 1.0 ms, connect 12.0 ms, tls 31.0 ms, processing 168.0 ms, transfer 1.0 ms
  error      status 503 Service Unavailable (expected 200)
  last good  2029-03-04 02:13:37Z, 30 s before: HTTP/1.1 200 OK in 180.0 ms by 203.0.113.7:443
  changed    answer: "HTTP/1.1 200 OK" -> "HTTP/1.1 503 Service Unavailable"
  changed    header server: "nginx" -> none
  changed    processing: 20.0 ms -> 168.0 ms
  body       <h1>Oops</h1>
             second"""

NO_PHASES = Phases()


def stopped(message, *, kind=FailureKind.TIMEOUT, phases=NO_PHASES, **evidence):
    """A FAIL that came to no answer."""
    captured = Evidence(message=message, asked="GET https://crm.example.com/", **evidence)
    return replace(BAD, failure=kind, phases=phases, evidence=captured)


def fact(story, word):
    return [line for name, line in story.facts if name == word]


def test_the_story_of_a_failure_beside_the_last_good_one():
    assert text_of(story_of(BAD, GOOD, "net-a, 127.0.0.1")) == TOLD


def test_the_page_on_evidence_shows_that_very_story():
    page = Path(__file__).parent.parent / "docs" / "evidence.md"
    assert f"```\n{TOLD}\n```" in page.read_text()


def test_a_pass_is_told_without_what_explains_a_failure():
    words = [word for word, _ in story_of(GOOD, GOOD).facts]
    assert not {"error", "last good", "changed"} & set(words)
    assert headline_of(GOOD) == "crm/sign-in/acme/london passed after 180.0 ms"


def test_that_no_pass_is_on_record_is_said():
    story = story_of(BAD)
    assert fact(story, "last good") == ["no PASS is on record"]
    assert story.differences is None
    assert values_of(story)["differences"] is None


def test_that_nothing_else_changed_is_said():
    same = replace(BAD, phases=GOOD.phases, evidence=replace(GOOD.evidence, message="too odd"))
    assert fact(story_of(same, GOOD), "changed") == ["nothing but what became of it"]


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        (Phases(), "nothing was contacted"),
        (Phases(3.0), "its name was not resolved, or leads where nothing may be contacted"),
        (Phases(0.1, 3.0), "no connection came about"),
        (Phases(0.1, 0.1, 5.0), "connected, but TLS did not come about"),
        (Phases(0.1, 0.1, None, 9.0), "connected, but nothing came back"),
        (Phases(0.1, 0.1, 0.1, 0.2, 9.0), "the answer began, but was not finished"),
    ],
)
def test_how_far_it_got_is_told_by_the_last_phase_reached(phases, words):
    assert fact(story_of(stopped("no answer", phases=phases)), "how far") == [words]


def test_how_far_a_probe_of_several_steps_got_is_told_by_the_step():
    steps = (
        Step("front", "GET /", Outcome.PASS, 0.1, "HTTP/1.1 200 OK"),
        Step("basket", "POST /basket", Outcome.FAIL, 0.2, "HTTP/1.1 500 Oops", "status 500"),
    )
    story = story_of(stopped('step 2 of 2 "basket": status 500', steps=steps))
    assert fact(story, "how far") == ['to step 2 of 2, "basket"']
    assert fact(story, "step") == [
        "1 front: GET /, HTTP/1.1 200 OK in 100.0 ms, pass",
        "2 basket: POST /basket, HTTP/1.1 500 Oops in 200.0 ms, fail: status 500",
    ]


def test_an_expired_certificate_is_told_with_its_date():
    ended = replace(CERTIFICATE, chain_expiry=NOW - timedelta(days=9))
    result = stopped(
        "certificate refused: certificate has expired", kind=FailureKind.TLS, certificate=ended
    )
    assert headline_of(result).endswith(
        "certificate has expired (it ended 2029-02-23 02:14:07Z, 9 days ago)"
    )


def test_a_certificate_that_is_not_valid_yet_is_told_with_its_date():
    coming = replace(CERTIFICATE, not_before=NOW + timedelta(days=1))
    result = stopped("refused", kind=FailureKind.TLS, certificate=coming)
    assert headline_of(result).endswith("refused (it begins 2029-03-05 02:14:07Z)")


def test_where_it_waited_is_told_by_the_address():
    result = stopped("no answer within 3 s while connecting", address="203.0.113.7:443")
    assert headline_of(result).endswith("while connecting (203.0.113.7:443)")


def test_a_redirect_that_ended_it_is_told():
    result = stopped("10.0.0.1 is private", warnings=("redirected to http://10.0.0.1/",))
    assert "10.0.0.1 is private (redirected to http://10.0.0.1/)" in headline_of(result)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.BLOCKED, "was BLOCKED after"),
        (Outcome.INVALID, "is INVALID, which says nothing of the target, after"),
        (Outcome.MAINTENANCE, "failed in declared maintenance after"),
    ],
)
def test_what_became_of_it_is_told_in_words(outcome, words):
    assert words in headline_of(replace(BAD, outcome=outcome, failure=None))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [(0.02, 0.168, True), (0.02, 0.06, False), (0.5, 1.4, False), (0.5, 1.5, True)],
)
def test_a_phase_is_different_when_it_is_three_times_as_long_and_50_ms_longer(before, after, told):
    good = replace(GOOD, phases=Phases(processing=before))
    story = story_of(replace(BAD, phases=Phases(processing=after)), good)
    assert ("processing" in {each.what for each in story.differences}) is told


def test_headers_are_not_missed_where_no_answer_came():
    story = story_of(stopped("reset"), GOOD)
    assert not [each for each in story.differences if each.what.startswith("header")]


def test_another_certificate_is_a_difference():
    renewed = replace(CERTIFICATE, issuer="commonName=Other CA")
    now = replace(BAD, evidence=replace(BAD.evidence, certificate=renewed))
    assert (
        Difference("certificate's issuer", '"commonName=Some CA"', '"commonName=Other CA"')
        in story_of(now, GOOD).differences
    )


def test_a_long_body_is_told_by_its_first_lines():
    body = "\n".join(f"line {number}" for number in range(25))
    story = story_of(replace(BAD, evidence=replace(BAD.evidence, body=body)))
    assert story.body[0] == "line 0"
    assert story.body[-1] == "(15 more lines)"
    assert len(story.body) == 11


PRINTABLE = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" ")
TEXTS = st.text(PRINTABLE, max_size=300)
SECONDS = st.none() | st.floats(0, 1e6)
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CERTIFICATES = st.builds(Certificate, TEXTS, TEXTS, st.lists(TEXTS).map(tuple), *([INSTANTS] * 3))
STEPS = st.builds(Step, TEXTS, TEXTS, st.sampled_from(Outcome), st.floats(0, 1e5), TEXTS, TEXTS)
RESULTS = st.builds(
    Result,
    st.just("r"),
    st.just(CELL),
    st.just("f"),
    st.floats(0, 1e6),
    st.floats(0, 1e6),
    INSTANTS,
    st.sampled_from(Outcome),
    st.none() | st.sampled_from(FailureKind),
    st.builds(Phases, *([SECONDS] * 5)),
    st.builds(
        Evidence,
        TEXTS,
        TEXTS,
        TEXTS,
        st.none() | st.integers(100, 599),
        TEXTS,
        st.lists(st.tuples(TEXTS, TEXTS), max_size=4).map(tuple),
        TEXTS,
        TEXTS,
        st.none() | CERTIFICATES,
        st.none() | st.booleans(),
        st.lists(TEXTS, max_size=3).map(tuple),
        st.lists(STEPS, max_size=3).map(tuple),
    ),
)


@given(RESULTS, st.none() | RESULTS)
def test_any_result_has_a_story_in_every_form(result, good):
    story = story_of(result, good)
    assert all(line.isprintable() for line in text_of(story).split("\n"))
    assert json.loads(json.dumps(values_of(story)))["headline"] == story.headline
    assert "\n" not in story.headline


@given(RESULTS)
def test_nothing_is_different_from_itself(result):
    assert story_of(result, result).differences == ()
