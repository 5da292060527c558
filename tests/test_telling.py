"""What a notice says as text: late ones say so, and texts are cut by whole characters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.channels.telling import (
    complete,
    cut,
    cut_bytes,
    cut_units,
    fitted,
    headline,
    late_by,
    one_line,
    prose,
    text,
)
from monitor.incident import wording
from monitor.model import Action, Message
from tests.outbox_fixtures import START, incident, notice


def after(seconds):
    return START + timedelta(seconds=seconds)


def test_a_notice_in_time_says_nothing_of_it():
    assert headline(notice(incident()), after(120)) == "CRITICAL: CRM is down for all users"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(121, "[LATE by 2 min] "), (3540, "[LATE by 59 min] "), (21_580, "[LATE by 6 h 0 min] ")],
)
def test_a_late_notice_says_so_first(seconds, said):
    assert headline(notice(incident()), after(seconds)).startswith(f"{said}CRITICAL: ")


def test_a_retry_is_late_by_its_first_due_time():
    assert late_by(notice(incident(), due_at=after(3600)), after(3600)) == 3600


def test_a_held_notice_is_late_from_the_opening_it_waited_for():
    opening = after(7 * 3600)
    held = notice(incident(notify_at=opening), held=True, due_at=opening)
    assert late_by(held, opening + timedelta(seconds=30)) is None
    assert late_by(held, opening + timedelta(seconds=300)) == 300


def test_the_text_has_the_headline_first():
    first, *rest = text(notice(incident()), START).splitlines()
    assert first == "CRITICAL: CRM is down for all users"
    assert rest == ["Began 02:13 London time."]


@pytest.mark.parametrize(
    ("said", "limit", "kept"),
    [
        ("plain", 5, "plain"),
        ("plainer", 5, "plai\u2026"),
        ("cafe\u0301s", 5, "caf\u2026"),
        ("ab\U0001f469\u200d\U0001f680cd", 5, "ab\u2026"),
        ("ab\U0001f44d\U0001f3fdcd", 4, "ab\u2026"),
        ("\u0301\u0301\u0301\u0301", 2, "\u2026"),
    ],
)
def test_it_is_cut_by_whole_characters(said, limit, kept):
    assert cut(said, limit) == kept


@given(st.text(max_size=60), st.integers(4, 40))
def test_a_cut_text_fits_and_begins_as_the_whole(said, limit):
    each_way = (
        (cut(said, limit), len),
        (cut_bytes(said, limit), _bytes),
        (cut_units(said, limit), _units),
    )
    for shorter, size in each_way:
        assert size(shorter) <= limit or shorter == said
        assert shorter == said or said.startswith(shorter.removesuffix("\u2026"))


@pytest.mark.parametrize(
    ("said", "limit", "kept"),
    [
        ("\U0001f525\U0001f525", 4, "\U0001f525\U0001f525"),
        ("\U0001f525\U0001f525\U0001f525", 5, "\U0001f525\U0001f525\u2026"),
        ("\U0001f525\U0001f525\U0001f525", 4, "\U0001f525\u2026"),
        ("a\U0001f44d\U0001f3fdcd", 5, "a\u2026"),
    ],
)
def test_it_is_cut_by_whole_characters_as_java_counts(said, limit, kept):
    assert cut_units(said, limit) == kept


def _units(said):
    return len(said.encode("utf-16-le", errors="replace")) // 2


def _bytes(said):
    return len(said.encode(errors="replace"))


# --------------------------------------------------------------------------- lines


def told(*lines, **links):
    said = notice(incident())
    return replace(said, message=Message("It is down", lines, None, links))


def test_links_are_among_the_lines_once():
    said = told("Began 02:13.", "Incident: http://x.example/1", Incident="http://x.example/1")
    assert prose(said) == ("Began 02:13.",)
    assert complete(said) == ("Began 02:13.", "Incident: http://x.example/1")


def test_a_link_no_line_names_is_added():
    assert complete(told("Seen.", Status="http://x.example/r")) == (
        "Seen.",
        "Status: http://x.example/r",
    )


@pytest.mark.parametrize(
    ("said", "became"),
    [
        ("a\r\nb\tc\x00", "a??b?c?"),
        ("\ud800 \u2028\u2029\u0085", "? ???"),
        ("\u202egnihtyna\u202c", "?gnihtyna?"),
        (
            "caf\u00e9 e\u0301 \U0001f469\u200d\U0001f680",
            "caf\u00e9 e\u0301 \U0001f469\u200d\U0001f680",
        ),
    ],
)
def test_what_is_no_character_to_read_is_shown_as_such(said, became):
    assert one_line(said) == became


def test_lines_that_fit_are_all_kept():
    assert fitted(("a", "b"), lambda _: True) == ("a", "b")
    assert fitted((), lambda _: True) == ()


def test_what_is_least_needed_is_left_out_first():
    about = incident(errors=tuple(replace(incident().errors[0], message=f"e{n}") for n in range(4)))
    links = {"Incident": "http://x.example/1"}
    written = wording.message(
        about, Action.TRIGGER, "It is down.", links, ("http://x.example/runbook",), story=("a", "b")
    )
    error = "Error: sign-in from leeds (4 targets): status: e"
    needed = [
        "It is down.",
        "Affected: all users.",
        "Began: ",
        "How we know: ",
        f"{error}0",
        "Runbook: ",
        "Respond by ",
    ]
    for size in range(len(written.lines) + 1):
        *kept, last = fitted(written.lines, lambda some, size=size: len(some) <= size + 1)
        if size < len(written.lines) - 1:
            assert last == f"\u2026 and {len(written.lines) - len(kept)} more lines"
        if size == len(needed):
            assert all(map(str.startswith, kept, needed))
        if size == len(needed) + 3:
            assert {"a", "b", "Incident: http://x.example/1"} <= set(kept)
            assert f"{error}1" not in kept


def test_lines_keep_their_order():
    lines = tuple(f"line {n}" for n in range(50))
    *kept, _ = fitted(lines, lambda some: len(some) < 20)
    assert kept == sorted(kept, key=lines.index)
