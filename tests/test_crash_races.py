"""Two that work on one store, and receivers that refuse, hang, come late or forget."""

import itertools

import pytest

from tests.crash.running import behind

pytestmark = pytest.mark.timeout(1500)

_NUMBERS = itertools.count(1)


@pytest.fixture
def lives(memory):
    """A folder of its own for each test."""
    return memory / f"lives-{next(_NUMBERS)}"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, lives):
    """Where a database is: on files, and on a server."""
    on_files = request.param == "sqlite"
    return lives if on_files else request.getfixturevalue("postgresql_url")


def test_two_workers_send_each_notice_once_however_often_it_is_refused(shim, place):
    outcome = behind(shim, "race", place)
    assert outcome["code"] == 0
    assert (outcome["lost"], outcome["repeated"]) == (0, 0)
    assert outcome["refused"] == 3 * outcome["owed"]


def test_the_second_of_two_minds_is_refused_a_second_incident(shim, place):
    outcome = behind(shim, "two_minds", place)
    assert outcome == {"code": 0, "open": 1, "told": "DuplicateIncident"}


def test_who_has_lost_the_store_neither_writes_nor_claims(shim, lives):
    outcome = behind(shim, "takeover", lives)
    assert outcome == {"code": 0, "incidents": 1, "told": "StoreHeld", "claimed": 0}


def test_a_late_resolve_leaves_the_next_incident_open(shim, lives):
    outcome = behind(shim, "late_resolve", lives)
    assert outcome["sound"], outcome
    assert [len(others) for others in outcome["others_open"]] == [1]


def test_what_comes_after_waits_for_a_trigger_that_was_refused(shim, lives):
    outcome = behind(shim, "overtaken", lives)
    assert outcome["sound"], outcome
    assert outcome["refused"] == 4


def test_receivers_that_are_away_for_six_hours_get_everything_once(shim, lives):
    outcome = behind(shim, "away", lives)
    assert outcome["sound"], outcome
    assert outcome["refused"] > 0


def test_what_a_receiver_took_and_forgot_is_lost_and_alone(shim, lives):
    """It said that it has it: nobody else can know."""
    outcome = behind(shim, "forgetful", lives)
    (lost,) = outcome["lost"]
    assert lost == f"{outcome['forgotten'][0]} was never accepted"
    assert (outcome["duplicated"], outcome["wrong"]) == ([], [])
