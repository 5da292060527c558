"""A disk that fails for a while: people are told, the probes go on, and nothing is lost."""

import pytest

from tests.crash.running import side_by_side

pytestmark = pytest.mark.timeout(1500)

TOLD_WITHIN = 15
"""Virtual seconds until the monitor says that it cannot write; 30 is what may be."""

FAILING = [
    "EIO on write at change 1",
    "ENOSPC on write at change 1",
    "EROFS on write at change 2",
    "EIO on sync at change 2",
    "ENOSPC on sync at change 4",
    "EIO on write at change 4",
    "EIO in the middle of a commit",
    "EIO on any file",
]
REALLY = {
    "locked": "database is locked: end the other program that has the file open",
    "deleted": "the file was removed or replaced",
    "replaced": "the file was removed or replaced",
}


@pytest.fixture(scope="module")
def outcomes(shim, memory):
    """What became of the lives, as futures."""
    runs = {
        "failing": ("troubled", memory / "failing", "--only", *FAILING),
        "really": ("troubled", memory / "really", "--only", *REALLY, "short writes"),
        "full": ("full", memory / "full"),
        "damaged": ("corrupted", memory / "damaged"),
    }
    with side_by_side(shim, runs) as made:
        yield made


def told_in_time(life):
    """It was said soon and in words, the probes went on, and the life ended well."""
    assert life["sound"], life
    assert life["noticed"]["told_after"] <= TOLD_WITHIN
    assert life["noticed"]["probed"] > 0
    return life["noticed"]["said"]


def test_whatever_call_fails_people_are_told_and_nothing_is_lost(outcomes):
    lives = outcomes["failing"].result()
    assert list(lives) == FAILING
    for name, life in lives.items():
        said = told_in_time(life)
        assert life["noticed"]["failed"] > 0
        full = name.startswith("ENOSPC on write")
        assert ("database or disk is full: free space" if full else "disk I/O error") in said


@pytest.mark.parametrize("name", REALLY)
def test_a_locked_a_deleted_and_a_replaced_database_are_told_of_and_nothing_is_lost(outcomes, name):
    assert REALLY[name] in told_in_time(outcomes["really"].result()[name])


def test_writes_that_are_cut_short_are_made_whole(outcomes):
    life = outcomes["really"].result()["short writes"]
    assert life["sound"]
    assert life["noticed"]["failed"] > 100


def test_a_file_system_that_is_really_full_is_told_of_and_nothing_is_lost(outcomes):
    life = outcomes["full"].result()
    if not life["mounted"]:
        pytest.skip("only root may mount a small file system")
    assert "database or disk is full: free space on its disk" in told_in_time(life)


def test_a_damaged_page_ends_the_start_and_once_it_is_mended_nothing_is_lost(outcomes):
    outcome = outcomes["damaged"].result()
    assert "database disk image is malformed: restore a backup" in outcome["said"]
    assert outcome["sound"], outcome
