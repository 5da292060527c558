"""What tickets are found by, and what is left out of their text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.channels.ticket import alert_mark, clean, notice_mark, one_line
from tests.outbox_fixtures import incident, notice
from tests.ticket_fixtures import ACCENTED, FAMILY, life, telling


def test_all_notices_of_an_alert_share_its_mark_and_have_one_each():
    notices = life()
    assert len({alert_mark(each) for each in notices}) == 1
    assert len({notice_mark(each) for each in notices}) == len(notices)


def test_every_incident_channel_and_digest_has_a_mark_of_its_own():
    said = notice(incident())
    others = (notice(incident(2)), replace(said, channel="desk"), telling("a"), telling("b"))
    assert len({alert_mark(each) for each in (said, *others)}) == 5


def test_a_mark_is_the_same_on_every_attempt():
    said = notice(incident())
    again = replace(said, attempts=7, last_error="no answer", due_at=said.due_at.max)
    assert (alert_mark(again), notice_mark(again)) == (alert_mark(said), notice_mark(said))


@given(st.text(), st.text())
def test_a_mark_is_letters_that_every_tracker_takes(key, dedup_key):
    said = replace(notice(incident()), key=key, dedup_key=dedup_key)
    assert re.fullmatch(r"monitor-[0-9a-f]{32}", alert_mark(said))
    assert re.fullmatch(r"notice-[0-9a-f]{32}", notice_mark(said))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("two\nlines\tand\r\nmore", "two\nlines\tand\nmore"),
        ("a\x00b\x1b[31mc\rd\x7f", "a\ufffdb\ufffd[31mc\ufffdd\ufffd"),
        ("half \ud800 of one", "half \ufffd of one"),
        ("txt.\u202eexe \u2066x\u2069", "txt.\ufffdexe \ufffdx\ufffd"),
        (f"{FAMILY} {ACCENTED} \u05d0\u200f", f"{FAMILY} {ACCENTED} \u05d0\u200f"),
    ],
)
def test_text_is_kept_but_for_what_no_text_needs(said, kept):
    assert clean(said) == kept


@given(st.text())
def test_one_line_is_one_line_in_utf8(said):
    line = one_line(said)
    assert len(line.splitlines()) <= 1
    assert line.encode().decode() == line
    assert not any(unicodedata.category(each) == "Cc" for each in line)
