"""A machine that loses its power has sent no notice that its disk does not know of.

Lives are logged write by write, cut anywhere, and taken up from every disk that may be left:
what was not synced is gone, torn or there in any order.
"""

import random

import pytest

from tests.crash.images import Disk, Step
from tests.crash.running import behind

PART = 13
"""A seed. Which images are made of it says the seed; the bench makes five times as many."""


MADE = ("open", "database", "one", 0, b""), ("fsync", "directory", "", 0, b"")


def lefts(*steps, how="dropped"):
    """Everything that may be left of these steps, each as (name, content) pairs."""
    disk = Disk({})
    for step in steps:
        disk.follow(Step(*step))
    return {tuple(disk.left(how, random.Random(seed))) for seed in range(99)}


class TestTheDisk:
    """The model of a disk that images are made by."""

    def test_what_was_not_synced_may_be_gone(self):
        assert lefts(*MADE, ("pwrite", "database", "one", 0, b"text")) == {(("one", b""),)}

    def test_what_was_synced_is_there(self):
        steps = ("pwrite", "database", "one", 2, b"text"), ("fsync", "database", "one", 0, b"")
        assert lefts(*MADE, *steps) == {(("one", b"\0\0text"),)}

    def test_what_was_not_synced_may_be_there_in_any_order(self):
        steps = [("pwrite", "database", "one", at, b"x") for at in (0, 1)]
        contents = {content for ((_, content),) in lefts(*MADE, *steps, how="reordered")}
        assert contents == {b"", b"x", b"\0x", b"xx"}

    def test_a_name_whose_directory_was_not_synced_may_be_gone(self):
        steps = ("open", "database", "one", 0, b""), ("fsync", "database", "one", 0, b"")
        assert lefts(*steps) == {(), (("one", b""),)}

    def test_a_write_is_torn_at_the_border_of_a_sector(self):
        steps = *MADE, ("pwrite", "database", "one", 0, b"x" * 2048)
        lengths = {len(content) for ((_, content),) in lefts(*steps, how="torn")}
        assert lengths == {0, 512, 1024, 1536, 2048}


@pytest.mark.timeout(1500)
def test_whatever_disk_is_left_the_life_goes_on_from_it_and_nothing_is_lost(shim, memory):
    outcome = behind(shim, "power", memory / "power", "--times", 104, "--seed", PART)
    assert outcome["complaints"] == []
    assert outcome["images"] == 104
    assert outcome["after_a_send"] > 50
    assert (outcome["damaged"], outcome["unknown"], outcome["lost"]) == (0, 0, 0)
    assert (outcome["duplicated"], outcome["wrong"]) == (0, 0)
