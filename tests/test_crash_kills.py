"""A monitor that is killed at any boundary loses nothing, says nothing twice, and goes on.

`tests/crash/` has the harness, `docs/reliability.md` the method. `python -m bench crash` kills
thousands of times; here is the part of it that every run of the tests can afford.
"""

import re
from pathlib import Path

import pytest

from tests import databases
from tests.crash.running import side_by_side

pytestmark = pytest.mark.timeout(1500)

PAGE = (Path(__file__).parents[1] / "docs" / "reliability.md").read_text()

FILES = {
    "open lock",
    "write lock",
    "open database",
    "pwrite database",
    "fdatasync database",
    "open wal",
    "pwrite wal",
    "fdatasync wal",
    "unlink wal",
    "send receiver",
    "recv receiver",
}
COPY = {
    "open copy",
    "pwrite copy",
    "fdatasync copy",
    "fsync copy",
    "rename copy",
    "fsync directory",
}
SOCKETS = {"send server", "recv server", "send receiver", "recv receiver"}


@pytest.fixture(scope="module")
def outcomes(shim, memory):
    """The campaigns on SQLite by name, as futures."""
    runs = {
        "one": ("kills", memory / "one", "--times", 140),
        "two": ("kills", memory / "two", "--times", 140, "--seed", 2),
        "fresh": ("kills", memory / "fresh", "--times", 20, "--fresh", 20),
        "migrations": ("migrations", memory / "migrations", "--times", 30),
        "first starts": ("first starts", memory / "first", "--times", 20),
        "failing": (
            *("kills", memory / "failing", "--times", 30),
            *("--trouble", "EIO on write at change 1"),
        ),
        "left alone": ("kills", memory / "alone", "--times", 0),
    }
    with side_by_side(shim, runs) as made:
        yield made


@pytest.fixture(scope="module")
def on_a_server(shim, request):
    """Two campaigns on PostgreSQL, each on a database of its own."""
    if not databases.postgresql_programs():
        pytest.skip("no PostgreSQL server is installed here")
    server = request.getfixturevalue("postgresql")
    with server.database() as one, server.database() as two:
        runs = {url: ("kills", url, "--times", 50, "--seed", len(url)) for url in (one, two)}
        with side_by_side(shim, runs) as made:
            yield list(made.values())


def sound(outcome, kills):
    """Nothing is lost or duplicated, and repeated at most once for each kill and conversation."""
    assert outcome["kills"] >= kills
    assert outcome["complaints"] == []
    assert (outcome["lost"], outcome["duplicated"], outcome["wrong"]) == (0, 0, 0)
    assert outcome["excess"] == 0
    return set(outcome["reached"])


@pytest.mark.parametrize("name", ["one", "two"])
def test_on_sqlite_nothing_is_lost_and_nothing_duplicated(outcomes, name):
    outcome = outcomes[name].result()
    assert sound(outcome, 140) >= FILES
    assert len(outcome["killed_at"]) >= 8


def test_neither_are_they_in_fresh_interpreters(outcomes):
    sound(outcomes["fresh"].result(), 20)


def test_nor_while_an_older_database_is_migrated(outcomes):
    assert sound(outcomes["migrations"].result(), 30) >= COPY


def test_nor_while_a_database_is_made(outcomes):
    assert sound(outcomes["first starts"].result(), 20) >= {"open journal", "fdatasync journal"}


def test_nor_while_the_disk_fails(outcomes):
    sound(outcomes["failing"].result(), 30)


def test_left_alone_nothing_is_repeated(outcomes):
    outcome = outcomes["left alone"].result()
    sound(outcome, 0)
    assert (outcome["lives"], outcome["repeated"]) == (2, 0)


def test_on_postgresql_nothing_is_lost_and_nothing_duplicated(on_a_server):
    for campaign in on_a_server:
        assert sound(campaign.result(), 50) == SOCKETS


def test_every_boundary_is_named_in_the_page_on_reliability(outcomes):
    campaigns = [outcomes[name].result() for name in ("one", "migrations", "first starts")]
    reached = SOCKETS.union(*(campaign["reached"] for campaign in campaigns))
    assert set(re.findall(r"`(\w+ [a-z]+)`", PAGE.partition("### Boundaries")[2])) == reached
