"""The harness finds what it is there to find: each fault is planted, and must be reported.

A harness that stays green on a fault proves nothing by being green.
"""

import pytest

from tests.crash.planted import FAULTS
from tests.crash.running import side_by_side

pytestmark = pytest.mark.timeout(1500)

PLANTED = {
    "send_before_commit": ("kills", "--times", 90),
    "mark_before_send": ("kills", "--times", 90),
    "no_release": ("kills", "--times", 90),
    "no_unique_index": ("two_minds",),
    "no_lease_check": ("race",),
    "no_fence_check": ("takeover",),
    "synchronous_off": ("power", "--times", 60),
    "no_order": ("overtaken",),
}
"""What is run with each fault planted in every monitor."""


@pytest.fixture(scope="module")
def reports(shim, memory):
    """What the harness reports of each fault, as futures."""
    runs = {
        fault: (what, memory / fault, "--planted", fault, *more)
        for fault, (what, *more) in PLANTED.items()
    }
    with side_by_side(shim, runs) as made:
        yield made


def test_a_notice_that_is_sent_before_it_is_on_disk_is_found(reports):
    outcome = reports["send_before_commit"].result()
    assert outcome["duplicated"] > 0
    assert "was accepted and is not on disk" in outcome["complaints"][0]


def test_a_notice_that_is_marked_before_it_is_sent_is_found(reports):
    outcome = reports["mark_before_send"].result()
    assert outcome["lost"] > 0
    assert "was never accepted" in outcome["complaints"][0]


def test_a_lease_that_nobody_releases_is_found(reports):
    outcome = reports["no_release"].result()
    assert outcome["lost"] > 0
    assert any("was never accepted" in each for each in outcome["complaints"])


def test_two_open_incidents_of_one_subject_are_found(reports):
    assert reports["no_unique_index"].result()["open"] == 2


def test_a_claim_that_does_not_ask_for_the_lease_is_found(reports):
    outcome = reports["no_lease_check"].result()
    assert (outcome["code"], outcome["lost"]) == (0, 0)
    assert outcome["repeated"] > 0


def test_a_holder_that_writes_after_it_lost_the_store_is_found(reports):
    outcome = reports["no_fence_check"].result()
    assert outcome["told"] is None
    assert outcome["incidents"] == 2
    assert outcome["claimed"] > 0


def test_a_disk_that_is_not_waited_for_is_found(reports):
    outcome = reports["synchronous_off"].result()
    assert outcome["unknown"] > 0
    assert any("was on the wire and is not on disk" in each for each in outcome["complaints"])


def test_a_notice_that_overtakes_the_one_before_it_is_found(reports):
    outcome = reports["no_order"].result()
    assert not outcome["sound"]
    assert any("came after a later one" in each for each in outcome["wrong"])


def test_every_fault_that_can_be_planted_is_tried():
    assert set(PLANTED) == set(FAULTS)
