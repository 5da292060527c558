"""Links that acknowledge: what a token holds, and that nothing else opens anything."""

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from monitor.net.links import Fault, Links
from monitor.net.secret import Secret

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
ULID = "01JDC0000000000000000000AB"
LINKS = Links(Secret("key of today, long enough for this"))
TOKEN = LINKS.token(ULID, NOW)
SPELLED = string.ascii_letters + string.digits + ".-_= %"


def test_a_token_opens_the_incident_that_it_was_made_for():
    assert LINKS.incident_id(TOKEN, NOW) == ULID


def test_it_can_stand_in_a_path_as_it_is():
    assert set(TOKEN) <= set(string.ascii_letters + string.digits + ".")


def test_it_expires():
    assert LINKS.incident_id(TOKEN, NOW + DAY - timedelta(seconds=1)) == ULID
    assert LINKS.incident_id(TOKEN, NOW + DAY) is Fault.EXPIRED


def test_how_long_it_lasts_is_a_setting():
    short = Links(LINKS.key, lasts=timedelta(minutes=5))
    assert short.incident_id(short.token(ULID, NOW), NOW + timedelta(minutes=5)) is Fault.EXPIRED


def test_a_key_that_is_replaced_still_verifies_while_it_is_named():
    newer = Links(Secret("key of tomorrow, as long as that one"), previous=LINKS.key)
    assert newer.incident_id(TOKEN, NOW) == ULID
    assert newer.incident_id(newer.token(ULID, NOW), NOW) == ULID
    assert Links(newer.key).incident_id(TOKEN, NOW) is Fault.WRONG


def test_the_previous_key_signs_nothing():
    newer = Links(Secret("key of tomorrow, as long as that one"), previous=LINKS.key)
    assert LINKS.incident_id(newer.token(ULID, NOW), NOW) is Fault.WRONG


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "...",
        ULID,
        TOKEN + " ",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.upper(),
        TOKEN.replace(".", ".0", 1),
        TOKEN[:-1],
        TOKEN + "0",
        TOKEN.replace("0", "\u0660", 1),
        "x" * 100_000,
    ],
)
def test_other_spellings_open_nothing(token):
    assert LINKS.incident_id(token, NOW) is Fault.WRONG


def test_neither_the_incident_nor_the_expiry_can_be_exchanged():
    incident, expiry, name, mac = TOKEN.split(".")
    later = str(int(expiry) + 1)
    for altered in ([ULID[:-1] + "C", expiry, name, mac], [incident, later, name, mac]):
        assert LINKS.incident_id(".".join(altered), NOW) is Fault.WRONG


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from(SPELLED))
def test_no_token_with_another_letter_verifies(place, letter):
    assume(TOKEN[place] != letter)
    altered = TOKEN[:place] + letter + TOKEN[place + 1 :]
    assert LINKS.incident_id(altered, NOW) is Fault.WRONG


@given(st.text(max_size=200))
@example("01JDC0000000000000000000AB.1.00000000." + "0" * 64)
def test_nothing_that_was_not_signed_verifies(token):
    assume(token != TOKEN)
    assert LINKS.incident_id(token, NOW) is Fault.WRONG


@given(st.integers(0, len(TOKEN)), st.integers(0, len(TOKEN)), st.text(SPELLED, max_size=6))
def test_no_token_with_a_part_left_out_or_put_in_verifies(begin, end, put):
    altered = TOKEN[:begin] + put + TOKEN[max(begin, end) :]
    assume(altered != TOKEN)
    assert LINKS.incident_id(altered, NOW) is Fault.WRONG
