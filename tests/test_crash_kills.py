"""A monitor that is killed at any boundary loses nothing, says nothing twice, and goes on.

`tests/crash/` has the harness, `docs/reliability.md` the method. `python -m bench crash` kills
thousands of times; here is the part of it that every run of the tests can afford.
"""

import pytest

from tests.crash.running import behind

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
SOCKETS = {"send server", "recv server", "send receiver", "recv receiver"}


def sound(outcome, kills):
    """Nothing is lost or duplicated, and repeated at most once for each kill and conversation."""
    assert outcome["kills"] >= kills
    assert outcome["complaints"] == []
    assert (outcome["lost"], outcome["duplicated"], outcome["wrong"]) == (0, 0, 0)
    assert outcome["excess"] == 0


class TestKilled:
    @pytest.mark.timeout(360)
    @pytest.mark.parametrize("seed", [1, 2])
    def test_on_sqlite_nothing_is_lost_and_nothing_duplicated(self, shim, memory, seed):
        outcome = behind(shim, "kills", memory / "lives", "--times", 140, "--seed", seed)
        sound(outcome, 140)
        assert set(outcome["reached"]) >= FILES
        assert len(outcome["killed_at"]) >= 8

    @pytest.mark.timeout(360)
    def test_neither_are_they_in_fresh_interpreters(self, shim, memory):
        outcome = behind(shim, "kills", memory / "lives", "--times", 20, "--fresh", 20)
        sound(outcome, 20)

    @pytest.mark.timeout(360)
    def test_nor_on_postgresql(self, shim, postgresql_url):
        outcome = behind(shim, "kills", postgresql_url, "--times", 100)
        sound(outcome, 100)
        assert set(outcome["reached"]) == SOCKETS


class TestLeftAlone:
    def test_nothing_is_repeated(self, shim, memory):
        outcome = behind(shim, "kills", memory / "lives", "--times", 0)
        sound(outcome, 0)
        assert outcome["lives"] == 2
        assert outcome["repeated"] == 0
